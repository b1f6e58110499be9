"""What is measured on which recordings.

A suite is a class made of `(folders, most)`, raising MissingDataError where its recordings are not
there, with `measure(maker, lookahead_ms)`, which yields measurements."""

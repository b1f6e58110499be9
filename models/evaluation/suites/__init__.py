"""The suites: code that takes the measurements on recordings.

Each factory takes `(folders, max_clips)` and what its entry in `catalog.py` needs, and raises
MissingDataError where its recordings are missing."""

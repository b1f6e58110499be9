"""Recording of live takes: curves as CSV, sound as WAV with timecode, and a document of both."""

"""Live takes on disk: curves as CSV, sound as WAV with timecode, and what was recorded."""

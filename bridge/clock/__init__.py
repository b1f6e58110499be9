"""Time: frame rates, timecode, the tick schedule, and the clock of an audio stream."""

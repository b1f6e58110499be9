"""Time: frame rates, timecode, the tick schedule, and the time of day from outside."""

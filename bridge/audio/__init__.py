"""Listen: sources of sound, and the ear which turns their blocks into hops at 16 kHz."""

"""More speech from Kokoro-82M: many voices, accents and speeds, with each phone's duration."""

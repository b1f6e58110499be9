"""What keeps a face from moving: every part of the way examined, each finding with its remedy."""

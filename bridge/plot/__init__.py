"""Pictures of a take for judging it: the sound, the face over time, and warnings."""

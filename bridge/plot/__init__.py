"""Pictures of a take for who judges it: the sound, the face over time, and what looks wrong."""

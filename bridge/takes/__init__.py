"""Takes: a performance of one face with its sound, generated or recorded, in memory and on disk."""

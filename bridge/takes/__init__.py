"""Takes: a performance of one face with its sound, generated or recorded, on disk and in memory."""

"""Measures of faces: pure functions of arrays [time, channels], without files or torch."""

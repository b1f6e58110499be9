"""Rendering of takes from any number of recordings, many times faster than real time."""

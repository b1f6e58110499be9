"""Remakes the pictures of README and docs."""

"""Inputs as nobody well-meaning makes them, and the doors at which they are tried."""

"""Heads which show curves: their meshes, how they are made, read and written."""

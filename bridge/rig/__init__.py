"""Rig maps: from a frame to the named curves of one target rig."""

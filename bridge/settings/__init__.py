"""The table of settings. Config, flags, remote control, page and documents derive from it."""

"""What the user asks for: `config.yaml`, checked, with the command line's flags over it."""

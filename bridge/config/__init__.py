"""The config: `config.yaml`, validated, with the flags of the command line over it."""

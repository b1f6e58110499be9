"""The command `cstalk-bridge`."""

from bridge.cli.command import main

__all__ = ["main"]

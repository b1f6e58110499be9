"""The command `cstalk-bridge`."""

from cstalk_bridge.cli.command import main

__all__ = ["main"]

"""`cstalk-bridge run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config.load import Flags, load_config

if TYPE_CHECKING:
    import argparse

    from bridge.config.schema import Config


def run(options: argparse.Namespace) -> int:
    """Run the bridge until it is stopped; Ctrl-C is the ordinary way to stop it."""
    config = config_of(options)
    try:
        # Here, so that a mistake in the config is told before torch has loaded.
        from bridge import daemon

        return daemon.run(config)
    except KeyboardInterrupt:
        return 0


def config_of(options: argparse.Namespace) -> Config:
    """Return the config with the flags over it. Raises UserError."""
    flags = Flags(
        audio=options.audio,
        links=tuple(options.link),
        subject=options.subject,
        fps=options.fps,
        lookahead_ms=options.lookahead_ms,
        emotion=options.emotion,
        device=options.device,
        weights=options.weights,
        no_ui=options.no_ui,
    )
    return load_config(Path(options.config) if options.config else None, flags)

"""CSTalk: speech to the face board of a MetaHuman.

    from cstalk_bridge.models import load_generator
    g = load_generator()
    face = g.generate(samples, rate_hz, emotion="happy", lookahead_ms=80)  # [time, channels]

The names in `__all__` are the public interface. Each is imported from its module when it is first
used; PyTorch is imported only where it computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.models.public import __version__, lazy_names

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNELS, Channel
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.cstalk.streaming import Passes, Stream
    from cstalk_bridge.models.emotions import EMOTIONS
    from cstalk_bridge.models.errors import WeightsError


__all__ = [
    "AUDIO_DRIVEN",
    "CHANNELS",
    "EMOTIONS",
    "Channel",
    "Generator",
    "Passes",
    "Stream",
    "WeightsError",
    "__version__",
    "load_generator",
]

_MODULES = {
    "board": ("AUDIO_DRIVEN", "CHANNELS", "Channel"),
    "cstalk.generator": ("Generator",),
    "cstalk.streaming": ("Passes", "Stream"),
    "emotions": ("EMOTIONS",),
    "errors": ("WeightsError",),
}


def load_generator(path: Path | str | None = None, device: str = "auto") -> Generator:
    """Return a trained generator.

    `path` names a weights file (default: the shipped weights), `device` is `auto`, `cpu` or `cuda`.
    Raises WeightsError for a file that is missing, damaged or made for another version, ValueError
    for a device that this machine lacks.
    """
    from pathlib import Path

    from cstalk_bridge.models.loading import open_generator

    return open_generator(Path(path) if path is not None else None, device)


if not TYPE_CHECKING:  # a type checker would take a module with `__getattr__` to have every name
    __getattr__, __dir__ = lazy_names(__name__, _MODULES)

"""CSTalk Bridge: a voice drives a MetaHuman's face, live.

The names in `__all__` are the public interface. Each is imported from its module when it is first
used, so importing the package takes no time and no numerical library.

    import cstalk_bridge
    take = cstalk_bridge.load_take(Path("MySlate_1.take"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.models.public import __version__, lazy_names

if TYPE_CHECKING:
    from cstalk_bridge.config.load import load_config
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.daemon import run
    from cstalk_bridge.models import EMOTIONS, Generator, WeightsError, load_generator
    from cstalk_bridge.models.errors import UserError
    from cstalk_bridge.rig.curves import Frame
    from cstalk_bridge.rig.load import load_rigmap
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.file import save_take
    from cstalk_bridge.takes.reader import load_take
    from cstalk_bridge.takes.take import Take


__all__ = [
    "EMOTIONS",
    "Controller",
    "Frame",
    "Generator",
    "RigMap",
    "Take",
    "UserError",
    "WeightsError",
    "__version__",
    "load_config",
    "load_generator",
    "load_rigmap",
    "load_take",
    "run",
    "save_take",
]

_MODULES = {
    "config.load": ("load_config",),
    "control.controller": ("Controller",),
    "daemon": ("run",),
    "models": ("EMOTIONS", "Generator", "WeightsError", "load_generator"),
    "models.errors": ("UserError",),
    "rig.curves": ("Frame",),
    "rig.load": ("load_rigmap",),
    "rig.rigmap": ("RigMap",),
    "takes.file": ("save_take",),
    "takes.reader": ("load_take",),
    "takes.take": ("Take",),
}

if not TYPE_CHECKING:  # a type checker would take a module with `__getattr__` to have every name
    __getattr__, __dir__ = lazy_names(__name__, _MODULES)

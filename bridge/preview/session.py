"""What a page works with, and what it is told of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.face.alive.levels import AS_GENERATED, AS_MADE, PARTS, limit_of
from bridge.preview.takes import MAX_TAKES
from bridge.takes.sound import MAX_SOUND_S
from bridge.version import program_version
from models.emotions import EMOTIONS, MAX_WEIGHT, MOUTH_GUARD
from models.timing import DEFAULT_LOOKAHEAD_MS, HOP_MS, MAX_LOOKAHEAD_MS

if TYPE_CHECKING:
    from bridge.control.desk import Desk
    from bridge.preview.heads import Heads
    from bridge.preview.hub import Hub
    from bridge.preview.rigmaps import RigMaps
    from bridge.preview.studio import Studio


@dataclass(frozen=True, slots=True)
class Session:
    """What a page works with: `hub` and `desk` are those of a bridge that runs, `opened` the ids of
    takes that the command line named."""

    studio: Studio
    rigmaps: RigMaps
    heads: Heads
    hub: Hub | None = None
    opened: tuple[str, ...] = ()
    desk: Desk | None = None

    def described(self) -> dict[str, Any]:
        """Return what there is to choose from, for the page; it reads files."""
        from bridge.export import FORMATS

        maps, problems = self.rigmaps.listed()
        held = {entry.id: entry.info() for entry in self.studio.takes.all()}
        opened = [held[take_id] for take_id in self.opened if take_id in held]
        return {
            "version": program_version(),
            "live": self.hub is not None,
            "emotions": EMOTIONS,
            "max_weight": MAX_WEIGHT,
            "mouth_guard": MOUTH_GUARD,
            "levels": {name: self._level(name) for name in PARTS},
            "lookahead_ms": {
                "maximum": MAX_LOOKAHEAD_MS,
                "step": HOP_MS,
                "default": DEFAULT_LOOKAHEAD_MS,
            },
            "rigmaps": maps,
            "problems": problems,
            "heads": self.heads.listed(),
            "formats": [
                {"id": f.id, "label": f.label, "suffix": f.suffix, "target": f.target}
                for f in FORMATS.values()
            ],
            "limits": {
                "upload_bytes": self.studio.recordings.max_upload_bytes,
                "take_s": MAX_SOUND_S,
                "takes": MAX_TAKES,
            },
            "takes": opened,
            "compare": [take["id"] for take in opened[:2]] if len(opened) > 1 else [],
        }

    def _level(self, name: str) -> dict[str, float]:
        return {
            "maximum": limit_of(name),
            "default": getattr(AS_MADE, name),
            "off": getattr(AS_GENERATED, name),
            "usual": getattr(self.studio.usual.levels, name),
        }

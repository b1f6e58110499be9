"""The heads a page can show: files by ids which are no paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.preview.refusal import NOT_FOUND, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN_HEAD = Path(__file__).resolve().parents[1] / "heads" / "head.glb"
MEDIA_TYPE = "model/gltf-binary"


@dataclass(frozen=True, slots=True)
class HeadFile:
    """A head as glTF binary."""

    id: str
    name: str
    path: Path
    missing: tuple[str, ...] = ()
    """ARKit names which move nothing in it."""


class Heads:
    """The heads there are, the first of which is shown first."""

    def __init__(self, heads: Sequence[HeadFile]) -> None:
        self._heads = {head.id: head for head in heads}

    def listed(self) -> list[dict[str, Any]]:
        """Return what a page is told."""
        return [
            {
                "id": head.id,
                "name": head.name,
                "url": f"/heads/{head.id}.glb",
                "missing": head.missing,
            }
            for head in self._heads.values()
        ]

    def path(self, head_id: str) -> Path:
        """Return the file of a head. RefusalError where there is none."""
        head = self._heads.get(head_id)
        if head is None:
            raise refusal(NOT_FOUND, "head", f"there is no {head_id[:80]!r}")
        return head.path


def heads_of(chosen: Path | None = None) -> Heads:
    """Return the chosen head, if any, and our own. UserError for a file that is no head."""
    own = HeadFile("own", "CSTalk", OWN_HEAD)
    if chosen is None:
        return Heads([own])
    from bridge.heads.reading import open_head

    shapes = open_head(chosen).shapes
    return Heads([HeadFile("chosen", chosen.stem, chosen, shapes.missing), own])

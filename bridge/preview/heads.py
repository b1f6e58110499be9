"""The heads a page can show: files by ids which are no paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.heads.library import list_heads
from bridge.names import shown
from bridge.preview.refusal import NOT_FOUND, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.heads.library import ListedHead

MEDIA_TYPE = "model/gltf-binary"


class Heads:
    """The heads there are, the first of which is shown first."""

    def __init__(self, heads: Sequence[ListedHead]) -> None:
        self._heads = {head.id: head for head in heads}

    def listed(self) -> list[dict[str, str]]:
        """Return what a page is told."""
        return [
            {"id": head.id, "name": shown(head.name), "url": f"/heads/{head.id}.glb"}
            for head in self._heads.values()
        ]

    def path(self, head_id: str) -> Path:
        """Return the file of a head. RefusalError where there is none, or no longer."""
        head = self._heads.get(head_id)
        if head is None or not head.path.is_file():
            raise refusal(NOT_FOUND, "head", f"there is no {head_id[:80]!r}", "choose another")
        return head.path


def heads_of(named: Path | None = None) -> Heads:
    """Return the heads of the library. UserError where the named one cannot be shown."""
    if named is not None:
        from bridge.heads.reading import open_head

        open_head(named)
    return Heads(list_heads(named))

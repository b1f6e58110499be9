"""FACEGOOD: the jaw against curves that an artist solved, in another language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.evaluation.groups import jaw
from models.evaluation.loading import facegood
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.suites.suite import followed, median

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders

HELD_OUT = "facegood/1114_2_05"


class Facegood:
    """`mouth_stretch_c` behaves as a jaw; 2_05 never trains, the others may."""

    title = "a Mandarin voice, artist-solved, 50 ms capture lag taken out"
    source = "facegood"
    is_timed = True

    def __init__(self, folders: Folders, most: int) -> None:
        self._clips = facegood(folders, most)

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield agreement on the held-out clip and on all."""
        found = {}
        for clip in self._clips:
            face = perform(maker, clip, lookahead_ms)
            if face is not None:
                found[clip.name] = followed(jaw(face), clip, "mouth_stretch_c")
        if one := found.get(HELD_OUT):
            yield Finding("facegood.one_r", one.near, 1)
            yield Finding("facegood.one_lag_ms", one.lag_s * 1000, 1)
        every = list(found.values())
        yield median("facegood.all_r", [agreed.near for agreed in every])
        yield median("facegood.all_r0", [agreed.together for agreed in every])
        yield median("facegood.all_lag_ms", [agreed.lag_s * 1000 for agreed in every])

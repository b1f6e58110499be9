"""What lips and teeth do at the phones of real voices, in millimetres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.aligned_voices import (
    grid_spoken,
    kathleen_read,
    ravdess_spoken,
    voices_there,
)
from models.evaluation.geometry.heads import needed
from models.evaluation.loading import kokoro
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.articulation import joined, lips_at_phones, mouth_at_phones
from models.evaluation.suites.suite import mean, percentile
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from models.evaluation.geometry.heads import MeasuredHead
    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders, Recording

VOICES: dict[str, Callable[[Folders, int], list[Recording]]] = {
    "kathleen": kathleen_read,
    "grid": grid_spoken,
    "ravdess": ravdess_spoken,
    "kokoro": kokoro,
}
"""Three kinds of real voices, and the synthetic ones of which the phones are exact."""
SHARES = ("closed", "false", "teeth", "tucked", "rounded", "funnelled", "misrounded")
REST_PERCENT = 5
"""Percentile of a tracked lip gap that counts as closed lips."""


class Articulation:
    """Neutral faces; `real` is the tracked GRID talker himself."""

    source = ""
    is_timed = True

    def __init__(self, folders: Folders, most: int, head: MeasuredHead | None) -> None:
        self._head = needed(head)
        self.title = f"lips and teeth at phones, in mm, on {self._head.name}"
        self._rest_mm = float(self._head.geometry({"jawOpen": np.zeros(1, np.float32)}).width[0])
        self._voices = voices_there(VOICES, folders, most)
        tracked = [_tracked(clip) for clip in self._voices.get("grid", ())]
        self._real = joined(one for one in tracked if one)

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield shares in percent and gaps in millimetres, by voice."""
        for name, clips in self._voices.items():
            made = [(perform(maker, clip, lookahead_ms), clip) for clip in clips]
            faces = [(face, clip.phone_rows()) for face, clip in made if face is not None]
            found = joined(
                mouth_at_phones(self._head.geometry(self._head.scores(face)), self._rest_mm, phones)
                for face, phones in faces
            )
            if found:
                yield from findings(f"articulation.{name}", found)
        if self._real:
            yield from findings("articulation.real", self._real)


def findings(key: str, found: Mapping[str, list[float]]) -> Iterator[Finding]:
    """Yield what was found at phones under `<key>_<measure>`."""
    for share in SHARES:
        if share in found:
            yield mean(f"{key}_{share}", [100 * value for value in found[share]])
    yield percentile(f"{key}_narrowest", found["narrowest"], 90)
    if "sibilant" in found:
        yield mean(f"{key}_sibilant", found["sibilant"])
    open_, close = mean(f"{key}_open", found["open"]), mean(f"{key}_close", found["close"])
    yield from (open_, close)
    if open_.count and close.count and close.value > 0:
        count = open_.count + close.count
        yield Finding(f"{key}_contrast", open_.value / close.value, count)


def _tracked(clip: Recording) -> dict[str, list[float]]:
    """Return what the captured lips did at the clip's phones; nothing where none were captured."""
    if "gap_mm" not in clip.curves or not len(clip.times_s):
        return {}
    gap = clip.curves["gap_mm"]
    rest = float(np.percentile(gap, REST_PERCENT))
    rows_s = np.arange(clip.rows) / ROW_RATE_HZ
    return lips_at_phones(np.interp(rows_s, clip.times_s, gap - rest), clip.phone_rows())

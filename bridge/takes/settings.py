"""How the face of a take is to be made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bridge.face.alive.levels import AS_MADE, Levels
from bridge.face.emotion import AS_CHOSEN
from bridge.face.mix import AROUSAL, AUTO, chosen, shares
from bridge.takes.emotions import EmotionCourse
from models.emotions import MOUTH_GUARD
from models.timing import DEFAULT_LOOKAHEAD_MS, ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bridge.face.felt import Shares


@dataclass(frozen=True, slots=True)
class Settings:
    """How a face is generated: `emotions` over time, and `lookahead_ms` from 0 to 240.

    `mouth_guard`, 0 to 1, is the share of the emotion's mouth which full speech pushes aside.
    `levels` are those of the living face, and `seed` makes it one character's; None draws it from
    the slate. `shares` are how far the voice itself has a say in the emotions.
    """

    emotions: EmotionCourse = EmotionCourse()
    lookahead_ms: float = DEFAULT_LOOKAHEAD_MS
    mouth_guard: float = MOUTH_GUARD
    levels: Levels = AS_MADE
    seed: int | None = None
    shares: Shares = AS_CHOSEN

    def weights(self, rows: int) -> NDArray[np.float32]:
        """Return the emotion of each row, float32 [rows, emotions]."""
        return self.emotions.weights(np.arange(rows) / ROW_RATE_HZ)

    @property
    def mix(self) -> dict[str, float]:
        """The mix with which it begins, and in which the voice may have a say."""
        keys = self.emotions.keys
        begins = dict(keys[0].emotion) if keys and keys[0].at_s == 0.0 else {}
        said = {AUTO: self.shares.auto, AROUSAL: self.shares.arousal}
        return begins | {name: share for name, share in said.items() if share}

    def feeling(self, mix: Mapping[str, float]) -> Settings:
        """Return them for a mix that holds all the time, in which the voice may have a say."""
        emotions = EmotionCourse.constant(chosen(mix))
        return replace(self, emotions=emotions, shares=shares(mix))

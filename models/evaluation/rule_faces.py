"""The plain faces that a network must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.board import AUDIO_DRIVEN
from models.emotions import MOUTH_GUARD
from models.evaluation.groups import JAW
from models.timing import HOP_SAMPLES, rows_of
from models.training.energy import relative_loudness, smooth
from models.training.postures import face_targets
from models.training.rules import rule_curves
from models.training.segments import phone_indices
from models.training.swells import SPOKEN, swells_of
from models.training.targets import speaking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.training.segments import Segment

LOUDEST_JAW = 0.5
"""Opening of the loudness face at the loudest sound, in board values."""
LOUDNESS_ROWS = 5
"""Rows over which the loudness and rule faces smooth their loudness."""


class LoudnessFace:
    """The jaw follows the loudness, nothing else moves: what every free tool can do."""

    name = "loudness"

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return faces as `Maker.faces`; emotions and look-ahead change nothing."""
        del emotions, lookahead_ms
        face = np.zeros((rows_of(len(sound)), len(AUDIO_DRIVEN)), dtype=np.float32)
        face[:, JAW] = LOUDEST_JAW * _loudness(sound)
        return face


class PhoneRuleFace:
    """The training recipe's phone rules and emotion postures, on phones known from the text."""

    name = "phone rules"

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return the face of somebody silent: no phones are known."""
        del lookahead_ms
        return self.faces_of_phones(sound, (), emotions)

    def faces_of_phones(
        self,
        sound: NDArray[np.float32],
        phones: Sequence[Segment],
        emotions: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return faces as `Maker.faces`."""
        rows = rows_of(len(sound))
        spoken = speaking(phone_indices(phones, rows))
        gestures = rule_curves(phones, rows) * spoken[:, None]
        stress = _loudness(sound)
        swells = swells_of(np.flatnonzero(stress > SPOKEN), np.arange(rows))
        # `face_targets` takes one emotion for a clip; the rules are measured under one only.
        guarded = np.concatenate((emotions[0], [MOUTH_GUARD])).astype(np.float32)
        given = (gestures, stress, swells, guarded)
        made = face_targets(*(torch.from_numpy(track)[None] for track in given))
        return np.asarray(made[0].numpy(), dtype=np.float32)


def _loudness(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = np.zeros(rows_of(len(sound)) * HOP_SAMPLES, dtype=np.float32)
    whole[: len(sound)] = sound
    if not whole.any():
        return np.zeros(rows_of(len(sound)), dtype=np.float32)  # it has no loud parts to be held to
    return smooth(relative_loudness(whole), LOUDNESS_ROWS)

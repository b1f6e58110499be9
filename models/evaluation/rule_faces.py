"""The plain faces that a network must beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from models.board import AUDIO_DRIVEN
from models.evaluation.groups import JAW
from models.timing import HOP_SAMPLES, rows_of
from models.training.corpus import speaking
from models.training.energy import relative_loudness, smooth
from models.training.postures import face_targets
from models.training.rules import phone_indices, rule_curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.training.rules import Segment

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
        # `face_targets` takes one emotion for a clip; the rules are measured under one only.
        made = face_targets(
            torch.from_numpy(gestures)[None],
            torch.from_numpy(stress)[None],
            torch.from_numpy(emotions[:1]),
        )
        return np.asarray(made[0].numpy(), dtype=np.float32)


def _loudness(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    whole = np.zeros(rows_of(len(sound)) * HOP_SAMPLES, dtype=np.float32)
    whole[: len(sound)] = sound
    if not whole.any():
        return np.zeros(rows_of(len(sound)), dtype=np.float32)  # it has no loud parts to be held to
    return smooth(relative_loudness(whole), LOUDNESS_ROWS)

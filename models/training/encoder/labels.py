"""The phones of the encoder's training set, row for row, and the events in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from models.training.crops import ALIGNED, UNKNOWN_PHONE
from models.training.encoder.streams import NO_SPEECH
from models.training.phones import INDEX, PHONES
from models.training.segments import phone_indices, within_sound

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from models.training.encoder.taught import Taught, TaughtSet
    from models.training.segments import Segment

EVENTS: dict[str, tuple[str, ...]] = {
    "bilabial": ("B", "M", "P"),
    "labiodental": ("F", "V"),
    "rounding": ("UH", "UW", "W", "SH", "ZH"),
    "sibilant": ("S", "Z", "SH", "ZH"),
}
"""What lips and teeth do that nothing but the phone decides, by the phones that do it."""
HEADS: tuple[str, ...] = (*PHONES, *EVENTS)
"""The heads' outputs in order: logits of phones that exclude one another, then of events."""
MIDDLE, EDGE, NEAR = 3.0, 1.0, 0.3
"""How much a row counts: within an event, at its first or last row, up to `NEAR_ROWS` beside it."""
NEAR_ROWS = 2

EVENT_ROWS = torch.tensor([[phone in phones for phone in PHONES] for phones in EVENTS.values()])
"""Whether a phone belongs to an event, [events, phones]."""


class Labels:
    """The phones of each clip of a set, as forced alignment found them; kept once made."""

    def __init__(self, taught: TaughtSet, path: Path) -> None:
        """`path` is the `phones.json` that `models.training.prepare` writes."""
        known: dict[str, list[Segment]] = json.loads(path.read_text("utf-8"))
        self._segments = known
        self._taught = taught
        self._kept: dict[tuple[str, int, float], NDArray[np.int64]] = {}

    def __call__(self, clip: Taught) -> NDArray[np.int64]:
        """Return the phone of each row of a clip, [rows]; `UNKNOWN_PHONE` where none is known."""
        key = (clip.name, clip.copy, clip.offset_s)
        if key not in self._kept:
            self._kept[key] = self._rows(clip)
        return self._kept[key]

    def _rows(self, clip: Taught) -> NDArray[np.int64]:
        if clip.source == NO_SPEECH:
            return np.zeros(clip.rows, dtype=np.int64)
        if clip.source not in ALIGNED or clip.name not in self._segments:
            return np.full(clip.rows, UNKNOWN_PHONE, dtype=np.int64)
        moved = [
            ((start_s - clip.offset_s) / clip.speed, (end_s - clip.offset_s) / clip.speed, phone)
            for start_s, end_s, phone in self._segments[clip.name]
        ]
        inside = [(max(0.0, a), b, phone) for a, b, phone in moved if b > 0]
        spoken = within_sound(clip.source, inside, self._taught.sound(clip))
        return phone_indices(spoken, clip.rows)


def event_targets(phones: Tensor) -> tuple[Tensor, Tensor]:
    """Return whether each event goes on and how much that counts, [events, streams, rows] each.

    `phones` is [streams, rows]. An aligner's edges are not sharp: rows beside an event count
    little, its middle counts most. Nothing counts where the phone is unknown.
    """
    known = phones != UNKNOWN_PHONE
    happens = (EVENT_ROWS[:, phones.clamp(min=0)] & known).float()
    last = happens.shape[-1]
    padded = functional.pad(happens, (1, 1))
    inner = torch.minimum(padded[..., :last], padded[..., 2:]) * happens
    near = functional.max_pool1d(happens, 2 * NEAR_ROWS + 1, 1, NEAR_ROWS)
    weights = torch.where(near > 0, NEAR, 1.0)
    weights = torch.where(happens > 0, EDGE + (MIDDLE - EDGE) * inner, weights)
    return happens, weights * known


def phone_loss(logits: Tensor, phones: Tensor) -> Tensor:
    """Return how far `logits` [streams, rows, HEADS] are from `phones` [streams, rows]."""
    count = len(PHONES)
    told = functional.cross_entropy(
        logits[..., :count].flatten(0, 1), phones.flatten(), ignore_index=UNKNOWN_PHONE
    )
    happens, weights = event_targets(phones)
    apart = functional.binary_cross_entropy_with_logits(
        logits[..., count:].movedim(-1, 0), happens, weights, reduction="sum"
    )
    return told + EVENT_WEIGHT * apart / weights.sum().clamp(min=1.0)


EVENT_WEIGHT = 4.0


def phones_right(logits: Tensor, phones: Tensor) -> tuple[int, int]:
    """Return how many rows of speech are told right, and how many there are."""
    spoken = phones > INDEX["SIL"]
    right = logits[..., : len(PHONES)].argmax(-1) == phones
    return int((right & spoken).sum()), int(spoken.sum())

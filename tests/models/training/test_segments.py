"""Phones as segments and as rows."""

from __future__ import annotations

import numpy as np

from models.training.phones import PHONES
from models.training.segments import fill_gaps, phone_indices, within_sound


def test_gaps_between_phones_are_silence() -> None:
    assert fill_gaps([(0.2, 0.3, "AA")], 0.5) == [
        (0.0, 0.2, "SIL"),
        (0.2, 0.3, "AA"),
        (0.3, 0.5, "SIL"),
    ]


def test_rows_take_the_phone_at_their_own_time() -> None:
    indices = phone_indices([(0.1, 0.2, "AA")], 15)
    assert [PHONES[i] for i in indices[4:11]] == ["SIL", *["AA"] * 5, "SIL"]


def test_the_last_phone_of_a_made_voice_ends_with_its_sound() -> None:
    sound = np.zeros(16_000, dtype=np.float32)
    sound[1600:8000] = 0.3
    segments = [(0.0, 0.1, "SIL"), (0.1, 0.3, "M"), (0.3, 0.8, "IY"), (0.8, 1.0, "SIL")]
    cut = within_sound("kokoro_more", segments, sound)
    assert cut == [(0.0, 0.1, "SIL"), (0.1, 0.3, "M"), (0.3, 0.5, "IY")]
    assert within_sound("kathleen", segments, sound) == segments

"""Phones as segments and as rows."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.training.alignment import (
    fill_gaps,
    kokoro_segments,
    phone_indices,
    within_sound,
)


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


def test_kokoro_durations_become_times() -> None:
    """Two symbols of 4 and 8 frames of 25 ms after 9 of silence, of which 3 are too many."""
    segments = kokoro_segments("mɑ", [9, 4, 8, 10])
    assert [phone for _, _, phone in segments] == ["SIL", "M", "AA", "SIL"]
    assert [start for start, _, _ in segments] == pytest.approx([0.0, 0.15, 0.25, 0.45])
    assert segments[-1][1] == pytest.approx(0.70)


def test_marks_and_short_spaces_belong_to_the_sound_before_and_long_ones_are_pauses() -> None:
    short = kokoro_segments("mˈ ɑ", [3, 2, 2, 2, 4, 1])
    assert [phone for _, _, phone in short] == ["SIL", "M", "AA", "SIL"]
    long = kokoro_segments("m ɑ", [3, 2, 20, 4, 1])
    assert [phone for _, _, phone in long] == ["SIL", "M", "SIL", "AA", "SIL"]

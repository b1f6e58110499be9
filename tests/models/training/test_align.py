from __future__ import annotations

import pytest

from models.training.align import kokoro_segments


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

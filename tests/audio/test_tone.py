from __future__ import annotations

import numpy as np

from bridge.audio.source import Source, SourceState
from bridge.audio.tone import PATTERN, SOUND_S, TestSource


def played(source: Source, seconds: int) -> np.ndarray:
    source.start()
    blocks = [source.poll(k / 4) for k in range(1, 4 * seconds + 1)]
    return np.concatenate([block.samples for due in blocks for block in due])


def test_the_same_seed_makes_the_same_sound_again_and_again() -> None:
    first = played(TestSource(now=lambda: 0.0, seed=3), 8)
    assert len(first) == 8 * 16000
    assert np.array_equal(first, played(TestSource(now=lambda: 0.0, seed=3), 8))
    assert not np.array_equal(first, played(TestSource(now=lambda: 0.0, seed=4), 8))
    length = round(len(PATTERN) * SOUND_S * 16000)
    assert np.array_equal(first[length:], first[: len(first) - length])


def test_vowels_are_loud_a_space_is_silent_and_nothing_clips() -> None:
    sound = played(TestSource(now=lambda: 0.0), 5)
    piece = round(SOUND_S * 16000)
    pieces = np.abs(sound[: piece * len(PATTERN)]).reshape(-1, piece)
    peaks = dict(zip(PATTERN, pieces.max(axis=1), strict=True))
    assert peaks[" "] < 0.001
    assert 0.05 < peaks["m"] < 0.1
    assert all(0.3 < peaks[vowel] < 0.4 for vowel in "aiuo")


def test_it_is_silent_before_the_start_and_after_the_end() -> None:
    source = TestSource(now=lambda: 0.0)
    assert source.poll(1.0) == []
    assert source.next_due_s is None
    source.start()
    source.close()
    assert source.poll(2.0) == []
    assert source.state is SourceState.ENDED

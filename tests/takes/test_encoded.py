from __future__ import annotations

import gc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from bridge.errors import Problem, UserError
from bridge.takes.encoded import EncodedSound, encoded
from bridge.takes.sound import SampledSound

SAMPLES = np.sin(np.arange(30_000) / 9).astype(np.float32) / 2


class Damaged(SampledSound):
    def read(self, _start: int, _count: int) -> np.ndarray:
        raise UserError(Problem("x.wav", "damaged"))


def test_what_is_encoded_ahead_is_what_is_encoded_now_as_often_as_asked() -> None:
    sound = SampledSound(SAMPLES, 16_000)
    with ThreadPoolExecutor(1) as threads:
        ahead = EncodedSound(sound, threads)
        for _ in range(2):
            with ahead.flac() as flac, encoded(sound) as expected:
                assert flac.read() == expected.read()
    with encoded(sound) as flac:
        decoded, rate_hz = soundfile.read(flac, dtype="float32")
    assert rate_hz == 16_000
    assert np.abs(decoded - SAMPLES).max() < 1e-4
    assert (ahead.read(5, 7) == SAMPLES[5:12]).all()


def test_what_nobody_asks_for_is_closed() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(1) as threads:
            EncodedSound(SampledSound(SAMPLES, 16_000), threads)
            gc.collect()
        gc.collect()
    assert [str(warning.message) for warning in warned] == []


def test_damage_is_told_to_who_asks() -> None:
    with ThreadPoolExecutor(1) as threads:
        ahead = EncodedSound(Damaged(SAMPLES, 16_000), threads)
        with pytest.raises(UserError, match="damaged"):
            ahead.flac()

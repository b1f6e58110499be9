from __future__ import annotations

import numpy as np
import pytest

from bridge.audio.level import FLOOR_DB, amplitude, decibels, peak_db, rms_db

SINE = np.sin(2 * np.pi * np.arange(1600) / 16).astype(np.float32)


def test_a_full_scale_sine_has_minus_3_rms_and_0_peak() -> None:
    assert rms_db(SINE) == pytest.approx(-3.01, abs=0.01)
    assert peak_db(SINE) == pytest.approx(0.0, abs=0.01)


def test_silence_and_nothing_have_the_floor() -> None:
    for samples in (np.zeros(160, dtype=np.float32), np.zeros(0, dtype=np.float32)):
        assert rms_db(samples) == FLOOR_DB
        assert peak_db(samples) == FLOOR_DB


@pytest.mark.parametrize("db", [-90.0, -20.0, 0.0, 12.0])
def test_decibels_and_amplitude_are_inverse(db: float) -> None:
    assert decibels(amplitude(db)) == pytest.approx(db)

"""Waveform, loudness and spectrogram of tones whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.plot import study
from cstalk_bridge.plot.study import loudness, spectrogram, waveform
from cstalk_bridge.takes.sound import FLOOR_DB, SampledSound

RATE_HZ = 16_000


def tone(hertz: float, seconds: float = 2.0, gain: float = 0.5) -> np.ndarray:
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (gain * np.sin(2 * np.pi * hertz * times_s)).astype(np.float32)


def test_the_waveform_holds_the_extremes_of_every_segment() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 1000).astype(np.float32)
    found = waveform(SampledSound(samples, 8000), 0.0, 0.125, 10)
    parts = samples.reshape(10, 100)
    assert found[:, 0] == pytest.approx(parts.min(axis=1), abs=0.005)
    assert found[:, 1] == pytest.approx(parts.max(axis=1), abs=0.005)


def test_the_waveform_of_a_long_sound_misses_no_peak() -> None:
    samples = np.zeros(7_000_000, dtype=np.float32)
    samples[6_543_210] = 1.0
    found = waveform(SampledSound(samples, 8000), 0.0, 875.0, 100)
    assert np.flatnonzero(found[:, 1]).tolist() == [93]


def test_beyond_the_sound_the_waveform_is_flat() -> None:
    found = waveform(SampledSound(tone(440, 0.5), RATE_HZ), 0.0, 4.0, 40)
    assert (np.abs(found[:5]).max(axis=1) > 0.4).all()
    assert not found[6:].any()


def test_loudness_of_a_sine_is_its_level_and_of_silence_the_floor() -> None:
    samples = np.concatenate((np.zeros(RATE_HZ, np.float32), tone(1000, gain=0.1)))
    levels = loudness(SampledSound(samples, RATE_HZ), 150, 50)
    assert levels[:45] == pytest.approx(np.full(45, FLOOR_DB))
    assert levels[55:145] == pytest.approx(np.full(90, -20.0), abs=0.05)


def test_loudness_belongs_to_its_row() -> None:
    samples = np.zeros(RATE_HZ, np.float32)
    samples[RATE_HZ // 2] = 1.0
    levels = loudness(SampledSound(samples, RATE_HZ), 50, 50)
    assert np.flatnonzero(levels > FLOOR_DB).tolist() == [24, 25, 26]
    later = loudness(SampledSound(samples, RATE_HZ), 20, 50, start_s=0.4)
    assert later.tolist() == levels[20:40].tolist()


def test_loudness_after_the_end_of_the_sound_is_silence() -> None:
    levels = loudness(SampledSound(tone(440, 0.1), RATE_HZ), 50, 50)
    assert levels[10:].tolist() == [FLOOR_DB] * 40


def test_reading_in_pieces_changes_nothing() -> None:
    samples = np.random.default_rng(2).normal(size=study.PIECE_SAMPLES * 2 + 77) * 0.1
    sound = SampledSound(samples.astype(np.float32), RATE_HZ)
    rows = sound.frames * 50 // RATE_HZ
    late = loudness(sound, 100, 50, start_s=(rows - 100) / 50)
    assert loudness(sound, rows, 50)[-100:] == pytest.approx(late, abs=1e-4)


@pytest.mark.parametrize("columns", [7, 20, 200])
def test_a_tone_is_in_its_band_in_every_column(columns: int) -> None:
    levels = spectrogram(SampledSound(tone(1000), RATE_HZ), 0.0, 2.0, columns, 64)
    assert levels.shape == (64, columns)
    inner = levels[:, 1:-1]
    assert set(inner.argmax(axis=0)) == {int(inner[:, 0].argmax())}
    assert -20 < inner.max() < 0
    assert inner.min() < -60


def test_after_the_sound_the_spectrogram_is_silent() -> None:
    levels = spectrogram(SampledSound(tone(440, 0.1), RATE_HZ), 0.0, 3.0, 30, 16)
    assert levels[:, -1].tolist() == [FLOOR_DB] * 16
    assert spectrogram(SampledSound(tone(440, 0.1), RATE_HZ), 1.0, 2.0, 9, 4).max() == FLOOR_DB

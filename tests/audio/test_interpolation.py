from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.audio.interpolation import Interpolator
from cstalk_bridge.audio.stream import AudioHistory


def sine_in_a_history(rate_hz: int, frequency_hz: float) -> AudioHistory:
    history = AudioHistory(rate_hz)
    times_s = np.arange(rate_hz) / rate_hz
    history.write(np.asarray(0.5 * np.sin(2 * np.pi * frequency_hz * times_s), dtype=np.float32))
    return history


def residue_db(sound: np.ndarray, radians: float) -> float:
    """Return what is left of a sound without the sine of that frequency, relative to it."""
    count = np.arange(len(sound))
    waves = np.stack([np.sin(radians * count), np.cos(radians * count)], axis=1)
    strengths, *_ = np.linalg.lstsq(waves, sound.astype(np.float64), rcond=None)
    residue = sound - waves @ strengths
    return float(20 * np.log10(np.std(residue) / (np.hypot(*strengths) / np.sqrt(2))))


@pytest.mark.parametrize(
    ("input_hz", "output_hz"), [(48000, 48000), (16000, 48000), (44100, 48000), (48000, 44100)]
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_a_sine_stays_a_sine_at_a_rate_that_is_a_little_off(
    input_hz: int, output_hz: int, share: float
) -> None:
    frequency_hz = share * min(input_hz, output_hz) / 2
    history = sine_in_a_history(input_hz, frequency_hz)
    step = input_hz / output_hz * 1.0002
    interpolator = Interpolator(input_hz, output_hz)
    pieces = []
    place = 500.3
    for _ in range(50):
        piece = interpolator.read(history, place, step, output_hz // 100)
        assert piece.missing == 0
        pieces.append(piece.samples)
        place += step * (output_hz // 100)
    sound = np.concatenate(pieces)
    assert residue_db(sound, 2 * np.pi * frequency_hz / input_hz * step) < -80.0
    assert 0.48 < float(np.abs(sound).max()) < 0.51


def test_samples_that_have_not_come_yet_are_silent_and_counted() -> None:
    history = sine_in_a_history(48000, 440.0)
    read = Interpolator(48000, 48000).read(history, 48000 - 100.0, 1.0, 480)
    assert 380 <= read.missing <= 400
    assert not read.samples[-300:].any()

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.takes.sound import SampledSound
from cstalk_bridge.takes.sound_images import MAX_SAMPLES, spectrogram, waveform

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LongSound:
    """Two hours of a sine, made as it is read; counts what is read."""

    rate_hz = 48_000
    frames = 2 * 3600 * rate_hz

    def __init__(self, hz: float) -> None:
        self.read_samples = 0
        self.largest = 0
        self._step = 2 * np.pi * hz / self.rate_hz

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        assert start >= 0
        count = max(0, min(count, self.frames - start))
        self.read_samples += count
        self.largest = max(self.largest, count)
        return np.sin(self._step * (start + np.arange(count))).astype(np.float32)


def noise(count: int) -> Any:
    return np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)


@given(st.integers(1, 5000), st.integers(1, 700), st.floats(0, 0.9), st.floats(0.01, 1))
def test_a_waveform_is_least_and_greatest_of_each_column(
    count: int, columns: int, begin: float, share: float
) -> None:
    samples = noise(count)
    start_s, end_s = begin * count / 1000, (begin + share * (1 - begin)) * count / 1000
    drawn = waveform(SampledSound(samples, 1000), start_s, end_s, columns)
    assert drawn.shape == (columns, 2)
    assert drawn.dtype == np.int8
    edges = (np.linspace(start_s, end_s, columns + 1) * 1000).astype(int)
    for (low, high), first, last in zip(drawn, edges, edges[1:], strict=False):
        heard = samples[first : max(last, first + 1)]
        expected = (heard.min(), heard.max()) if len(heard) else (0.0, 0.0)
        assert (low, high) == pytest.approx(np.array(expected) * 127, abs=0.51)


def test_beyond_the_sound_nothing_is_drawn() -> None:
    drawn = waveform(SampledSound(np.ones(1000, np.float32), 1000), 0.0, 2.0, 20)
    assert (drawn[:10] == 127).all()
    assert (drawn[10:] == 0).all()


@pytest.mark.parametrize("hz", [80.0, 440.0, 3000.0, 7000.0])
@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_a_sine_of_full_scale_is_white_in_its_band(hz: float, rate_hz: int) -> None:
    samples = np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz)
    drawn = spectrogram(SampledSound(samples.astype(np.float32), rate_hz), 0.2, 0.8, 30, 40)
    assert drawn.shape == (40, 30)
    brightest = drawn.max(axis=0)
    assert (brightest >= 240).all()
    mel = np.log10(1 + np.array([60.0, hz, 8000.0]) / 700)
    expected = (mel[1] - mel[0]) / (mel[2] - mel[0]) * 41 - 1
    assert np.abs(drawn.argmax(axis=0) - expected).max() <= 1.5


def test_silence_is_black_and_quiet_is_darker() -> None:
    assert not spectrogram(SampledSound(np.zeros(16_000, np.float32), 16_000), 0, 1, 50, 32).any()
    samples = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    loud, quiet = (
        int(spectrogram(SampledSound(scale * samples, 16_000), 0.2, 0.8, 1, 32).max())
        for scale in (1.0, 0.1)
    )
    assert loud - quiet == pytest.approx(20 / 80 * 255, abs=2)


def test_of_hours_little_is_read_and_in_pieces() -> None:
    for columns in (1, 800, 4096):
        sound = LongSound(1000.0)
        drawn = waveform(sound, 0.0, 7200.0, columns)
        assert (np.abs(drawn) >= 126).all()
        assert sound.read_samples <= MAX_SAMPLES
        sound = LongSound(1000.0)
        picture = spectrogram(sound, 0.0, 7200.0, columns, 64)
        assert (picture.max(axis=0) >= 240).all()
        assert sound.read_samples <= MAX_SAMPLES * 2
        assert sound.largest <= MAX_SAMPLES


@pytest.mark.parametrize(
    "wrong",
    [
        *((-1.0, 1.0, 10, 10), (1.0, 1.0, 10, 10), (0.0, 9.0, 10, 10), (0.0, float("nan"), 9, 9)),
        *((0.0, 1.0, 0, 10), (0.0, 1.0, 5000, 10), (0.0, 1.0, 10, 0), (0.0, 1.0, 10, 129)),
    ],
)
def test_what_is_out_of_range_is_told(wrong: tuple[float, float, int, int]) -> None:
    with pytest.raises(ValueError, match=r"is no|is not within"):
        spectrogram(SampledSound(noise(16_000), 16_000), *wrong)

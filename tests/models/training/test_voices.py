"""A voice's pitch and its throat move apart, and nothing moves in time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.timing import SAMPLE_RATE_HZ
from models.training.voices import FRAME, other_voices, random_voices

PITCH_HZ = 125.0  # four bins
FORMANT_HZ, WIDTH_HZ = 1500.0, 250.0
ONSET_S = 0.4
SECONDS = 1.2


def vowel() -> torch.Tensor:
    """Partials of one pitch under one formant, beginning at `ONSET_S`, [1, time]."""
    times_s = torch.arange(int(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    partials_hz = torch.arange(1, 50) * PITCH_HZ
    sizes = 0.1 / (1 + ((partials_hz - FORMANT_HZ) / WIDTH_HZ).square())
    waves = torch.sin(2 * np.pi * partials_hz[:, None] * times_s) * sizes[:, None]
    return (waves.sum(0) * (times_s > ONSET_S))[None]


def changed(pitch: float, throat: float) -> torch.Tensor:
    return other_voices(vowel(), torch.tensor([pitch]), torch.tensor([throat]))[0]


def spectrum_of(sound: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Frequencies in Hz and magnitudes of the steady part."""
    steady = sound[int(0.5 * SAMPLE_RATE_HZ) : int(1.1 * SAMPLE_RATE_HZ)]
    size = torch.fft.rfft(steady * torch.hann_window(len(steady))).abs()
    return torch.fft.rfftfreq(len(steady), 1 / SAMPLE_RATE_HZ), size


def pitch_of(sound: torch.Tensor) -> float:
    """The distance of partials: where the magnitudes look most like themselves."""
    hz, size = spectrum_of(sound)
    near = size[hz < 4000]
    likeness = torch.fft.irfft(torch.fft.rfft(near, 2 * len(near)).abs().square())
    lags_hz = hz[: len(near)]
    likely = (lags_hz > 60) & (lags_hz < 300)
    return float(lags_hz[likely][likeness[: len(near)][likely].argmax()])


def formant_of(sound: torch.Tensor) -> float:
    hz, size = spectrum_of(sound)
    return float((hz * size.square()).sum() / size.square().sum())


def test_a_voice_left_as_it_is_stays() -> None:
    inner = slice(FRAME, -FRAME)
    torch.testing.assert_close(changed(1.0, 1.0)[inner], vowel()[0, inner], atol=1e-3, rtol=0)


@pytest.mark.parametrize("factor", [0.8, 1.25, 1.5])
def test_pitch_moves_far_further_than_the_formant(factor: float) -> None:
    sound = changed(factor, 1.0)
    assert pitch_of(sound) == pytest.approx(PITCH_HZ * factor, rel=0.03)
    assert abs(formant_of(sound) / FORMANT_HZ - 1) < 0.4 * abs(factor - 1)


@pytest.mark.parametrize("factor", [0.88, 1.14])
def test_the_formant_moves_without_the_pitch(factor: float) -> None:
    sound = changed(1.0, factor)
    assert pitch_of(sound) == pytest.approx(PITCH_HZ, rel=0.03)
    assert formant_of(sound) == pytest.approx(FORMANT_HZ * factor, rel=0.06)


def test_nothing_moves_in_time() -> None:
    loud = changed(1.5, 0.9).abs() > 0.02
    onset_s = float(loud.nonzero()[0]) / SAMPLE_RATE_HZ
    assert onset_s == pytest.approx(ONSET_S, abs=FRAME / 2 / SAMPLE_RATE_HZ)


def test_silence_stays_silent_and_few_rows_change() -> None:
    dice = torch.Generator().manual_seed(1)
    silent = torch.zeros(3, SAMPLE_RATE_HZ)
    assert float(random_voices(silent, 1.0, dice).abs().max()) < 1e-4
    spoken = vowel().repeat(40, 1)
    moved = (random_voices(spoken, 0.3, dice) != spoken).any(1).float().mean()
    assert 0.1 < float(moved) < 0.5
    assert torch.equal(random_voices(spoken, 0.0, dice), spoken)

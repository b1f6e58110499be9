"""What is done to sound keeps its time, its bounds and its seed, and does what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from models.training.augment import ALONE_DBFS, AUGMENTATION, distant_voices, distort
from models.training.breaths import MARGIN_HOPS, PAUSE_HOPS, breath, with_breaths
from models.training.transmission import KINDS, mu_law, telephone, transmit

LENGTH = 40_111
FIRST_VERSION = [0.238175, -0.0308528, 20910.37]  # root mean square, one sample, sum


def dice(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def voice(rows: int = 2) -> torch.Tensor:
    """A buzz of 120 Hz in bursts, as vowels are."""
    times_s = torch.arange(LENGTH) / SAMPLE_RATE_HZ
    buzz = sum(torch.sin(2 * torch.pi * 120 * k * times_s) / k for k in range(1, 50))
    bursts = (torch.sin(2 * torch.pi * 3 * times_s) > 0).float()
    sound = 0.3 * torch.as_tensor(buzz) * bursts
    return (sound + 1e-4 * torch.randn(LENGTH, generator=dice(9))).expand(rows, -1).clone()


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_moves_nothing_in_time(kind: str) -> None:
    sound = voice()
    heard = KINDS[kind](sound, dice())
    assert heard.shape == sound.shape
    assert torch.isfinite(heard).all()
    size = 2 * LENGTH
    cross = torch.fft.irfft(torch.fft.rfft(heard[0], size) * torch.fft.rfft(sound[0], size).conj())
    lag = int(cross.argmax())
    assert min(lag, size - lag) <= 8  # half a millisecond
    r = np.corrcoef(heard[0].numpy(), sound[0].numpy())[0, 1]
    assert r > (0.3 if kind == "telephone" else 0.8)  # it has no 120 Hz


def test_a_telephone_has_no_highs_and_no_lows() -> None:
    noise = 0.1 * torch.randn(1, SAMPLE_RATE_HZ, generator=dice())
    power = torch.fft.rfft(telephone(noise, dice()))[0].abs().square()
    inside = power[500:3000].mean()
    assert power[:150].mean() < 0.02 * inside
    assert power[4100:].mean() < 0.001 * inside


def test_mu_law_keeps_soft_sounds_and_never_more_than_255_levels() -> None:
    ramp = torch.linspace(-1, 1, 20_001)
    heard = mu_law(ramp)
    assert len(heard.unique()) == 255
    assert (heard - ramp).abs()[ramp.abs() > 0.001].div(ramp.abs()[ramp.abs() > 0.001]).max() < 0.15
    assert mu_law(torch.zeros(3)).abs().max() == 0.0


@pytest.mark.parametrize("kind", ["telephone", "bands"])
def test_silence_stays_silent(kind: str) -> None:
    assert KINDS[kind](torch.zeros(1, 5000), dice()).abs().max() < 1e-6


def test_some_rows_are_sent_and_the_others_left_alone() -> None:
    sound = voice(64)
    heard = transmit(sound, dice(3))
    changed = (heard != sound).any(1)
    assert 5 < int(changed.sum()) < 40
    assert torch.equal(heard, transmit(sound, dice(3)))


@pytest.mark.parametrize("version", range(1, AUGMENTATION + 1))
def test_distortion_is_bounded_and_depends_on_its_seed_only(version: int) -> None:
    sound = voice(8)
    heard = distort(sound, dice(5), version)
    assert torch.equal(heard, distort(sound, dice(5), version))
    assert not torch.equal(heard, distort(sound, dice(6), version))
    assert heard.abs().max() <= 1.0
    assert torch.isfinite(distort(torch.zeros(3, LENGTH), dice(), version)).all()


def test_the_first_version_gives_what_it_always_gave() -> None:
    heard = distort(voice(4), dice(5), 1)
    figures = [float(heard.square().mean().sqrt()), float(heard[1, 2500]), float(heard.abs().sum())]
    assert figures == pytest.approx(FIRST_VERSION, rel=1e-3)


def test_where_nobody_speaks_noise_may_be_loud() -> None:
    """From the fourth version on; a row with a voice has its noise by its own loudness."""
    silence = torch.zeros(64, SAMPLE_RATE_HZ)
    levels_db = [
        20 * distort(silence, dice(2), version).square().mean(1).sqrt().log10()
        for version in (3, 4)
    ]
    assert levels_db[0].max() < -54
    assert levels_db[1].min() > ALONE_DBFS[0] - 3
    assert -36 < levels_db[1].max() < ALONE_DBFS[1] + 3


def test_distant_voices_have_the_spectrum_of_speech() -> None:
    noise = distant_voices(2, SAMPLE_RATE_HZ, dice())
    power = torch.fft.rfft(noise)[0].abs().square()
    assert float(noise.square().mean()) == pytest.approx(1.0, rel=1e-3)
    assert power[200:500].mean() > 10 * power[2000:3000].mean() > 50 * power[6000:8000].mean() / 10
    assert power[200:500].mean() > 5 * power[1:40].mean()


def test_a_breath_swells_and_has_no_edges() -> None:
    one = breath(4000, np.random.default_rng(0))
    assert np.abs(one).max() == pytest.approx(1.0)
    assert max(abs(one[0]), abs(one[-1])) < 0.01


def test_breaths_fall_into_long_pauses_only() -> None:
    hops = 100
    pauses = np.zeros(hops, dtype=bool)
    pauses[20:60] = True
    pauses[80 : 80 + PAUSE_HOPS - 1] = True
    sound = np.zeros(hops * HOP_SAMPLES + 77, dtype=np.float32)
    sound[-1] = 0.5
    breathed = 0
    for seed in range(60):
        heard = with_breaths(sound, pauses, np.random.default_rng(seed))
        added = np.flatnonzero(heard != sound)
        if len(added):
            breathed += 1
            assert added[0] >= 77 + (20 + MARGIN_HOPS) * HOP_SAMPLES
            assert added[-1] < 77 + (60 - MARGIN_HOPS) * HOP_SAMPLES
            assert np.abs(heard[added]).max() < 0.5 * 0.16
    assert 8 < breathed < 40
    assert sound[:-1].max() == 0.0

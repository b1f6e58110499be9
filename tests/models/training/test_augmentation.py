"""What is done to sound keeps its time, its bounds and its seed, and does what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.augmentation import (
    ALONE_DBFS,
    AUGMENTATION,
    KINDS,
    MARGIN_HOPS,
    PAUSE_HOPS,
    VOCODER_FRAME,
    breath,
    distant_voices,
    distort,
    mu_law,
    other_voices,
    random_voices,
    telephone,
    transmit,
    with_breaths,
)

LENGTH = 40_111
FIRST_VERSION = [0.238175, -0.0308528, 20910.37]  # root mean square, one sample, sum


def rng(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def voice(rows: int = 2) -> torch.Tensor:
    """A buzz of 120 Hz in bursts, as vowels are."""
    times_s = torch.arange(LENGTH) / SAMPLE_RATE_HZ
    buzz = sum(torch.sin(2 * torch.pi * 120 * k * times_s) / k for k in range(1, 50))
    bursts = (torch.sin(2 * torch.pi * 3 * times_s) > 0).float()
    sound = 0.3 * torch.as_tensor(buzz) * bursts
    return (sound + 1e-4 * torch.randn(LENGTH, generator=rng(9))).expand(rows, -1).clone()


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_moves_nothing_in_time(kind: str) -> None:
    sound = voice()
    augmented = KINDS[kind](sound, rng())
    assert augmented.shape == sound.shape
    assert torch.isfinite(augmented).all()
    size = 2 * LENGTH
    cross = torch.fft.irfft(
        torch.fft.rfft(augmented[0], size) * torch.fft.rfft(sound[0], size).conj()
    )
    lag = int(cross.argmax())
    assert min(lag, size - lag) <= 8  # half a millisecond
    r = np.corrcoef(augmented[0].numpy(), sound[0].numpy())[0, 1]
    assert r > (0.3 if kind == "telephone" else 0.8)  # it has no 120 Hz


def test_a_telephone_has_no_highs_and_no_lows() -> None:
    noise = 0.1 * torch.randn(1, SAMPLE_RATE_HZ, generator=rng())
    power = torch.fft.rfft(telephone(noise, rng()))[0].abs().square()
    inside = power[500:3000].mean()
    assert power[:150].mean() < 0.02 * inside
    assert power[4100:].mean() < 0.001 * inside


def test_mu_law_keeps_soft_sounds_and_never_more_than_255_levels() -> None:
    ramp = torch.linspace(-1, 1, 20_001)
    augmented = mu_law(ramp)
    assert len(augmented.unique()) == 255
    assert (augmented - ramp).abs()[ramp.abs() > 0.001].div(
        ramp.abs()[ramp.abs() > 0.001]
    ).max() < 0.15
    assert mu_law(torch.zeros(3)).abs().max() == 0.0


@pytest.mark.parametrize("kind", ["telephone", "bands"])
def test_silence_stays_silent(kind: str) -> None:
    assert KINDS[kind](torch.zeros(1, 5000), rng()).abs().max() < 1e-6


def test_some_rows_are_sent_and_the_others_left_alone() -> None:
    sound = voice(64)
    augmented = transmit(sound, rng(3))
    changed = (augmented != sound).any(1)
    assert 5 < int(changed.sum()) < 40
    assert torch.equal(augmented, transmit(sound, rng(3)))


@pytest.mark.parametrize("version", range(1, AUGMENTATION + 1))
def test_distortion_is_bounded_and_depends_on_its_seed_only(version: int) -> None:
    sound = voice(8)
    augmented = distort(sound, rng(5), version)
    assert torch.equal(augmented, distort(sound, rng(5), version))
    assert not torch.equal(augmented, distort(sound, rng(6), version))
    assert augmented.abs().max() <= 1.0
    assert torch.isfinite(distort(torch.zeros(3, LENGTH), rng(), version)).all()


def test_the_first_version_gives_what_it_always_gave() -> None:
    augmented = distort(voice(4), rng(5), 1)
    figures = [
        float(augmented.square().mean().sqrt()),
        float(augmented[1, 2500]),
        float(augmented.abs().sum()),
    ]
    assert figures == pytest.approx(FIRST_VERSION, rel=1e-3)


def test_where_nobody_speaks_noise_may_be_loud() -> None:
    """From the fourth version on; a row with a voice has its noise by its own loudness."""
    silence = torch.zeros(64, SAMPLE_RATE_HZ)
    levels_db = [
        20 * distort(silence, rng(2), version).square().mean(1).sqrt().log10() for version in (3, 4)
    ]
    assert levels_db[0].max() < -54
    assert levels_db[1].min() > ALONE_DBFS[0] - 3
    assert -36 < levels_db[1].max() < ALONE_DBFS[1] + 3


def test_distant_voices_have_the_spectrum_of_speech() -> None:
    noise = distant_voices(2, SAMPLE_RATE_HZ, rng())
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
        augmented = with_breaths(sound, pauses, np.random.default_rng(seed))
        added = np.flatnonzero(augmented != sound)
        if len(added):
            breathed += 1
            assert added[0] >= 77 + (20 + MARGIN_HOPS) * HOP_SAMPLES
            assert added[-1] < 77 + (60 - MARGIN_HOPS) * HOP_SAMPLES
            assert np.abs(augmented[added]).max() < 0.5 * 0.16
    assert 8 < breathed < 40
    assert sound[:-1].max() == 0.0


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
    inner = slice(VOCODER_FRAME, -VOCODER_FRAME)
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
    assert onset_s == pytest.approx(ONSET_S, abs=VOCODER_FRAME / 2 / SAMPLE_RATE_HZ)


def test_silence_stays_silent_and_few_rows_change() -> None:
    rng = torch.Generator().manual_seed(1)
    silent = torch.zeros(3, SAMPLE_RATE_HZ)
    assert float(random_voices(silent, 1.0, rng).abs().max()) < 1e-4
    spoken = vowel().repeat(40, 1)
    moved = (random_voices(spoken, 0.3, rng) != spoken).any(1).float().mean()
    assert 0.1 < float(moved) < 0.5
    assert torch.equal(random_voices(spoken, 0.0, rng), spoken)

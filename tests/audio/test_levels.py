"""Which channel of a recording is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.inputs import FileSource
from cstalk_bridge.audio.levels import ALL, FLOOR_DB, Channel, amplitude, decibels, peak_db, rms_db
from cstalk_bridge.takes.sound import open_sound
from tests.takes.render.recordings import speech

if TYPE_CHECKING:
    from pathlib import Path


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


RATE_HZ = 24_000


def voice(seconds: float = 2.0) -> np.ndarray:
    samples, rate_hz = speech()
    return samples[: int(seconds * rate_hz)]


def square(frames: int) -> np.ndarray:
    """Biphase-mark bits, as timecode is."""
    bits = np.random.default_rng(3).integers(0, 2, frames // 10 + 1)
    turns = np.repeat(np.stack([np.ones_like(bits), bits], 1).ravel(), 5)[:frames]
    starts = np.diff(turns, prepend=0) != 0
    starts[::10] = True
    return 0.3 * (1 - 2.0 * (np.cumsum(starts) % 2))


def noise(frames: int, level: float = 0.1) -> np.ndarray:
    return np.random.default_rng(5).normal(0, level, frames)


def written(path: Path, *channels: np.ndarray) -> Path:
    soundfile.write(path, np.stack(channels, 1), RATE_HZ, subtype="FLOAT")
    return path


def live(path: Path, channel: Channel = None) -> np.ndarray:
    source = FileSource(path, now=lambda: 0.0, channel=channel)
    source.start()
    blocks = [block.samples for n in range(1, 6) for block in source.poll(n / 2)]
    source.close()
    return np.concatenate(blocks)


@pytest.mark.parametrize(
    ("right", "reason"),
    [
        (lambda left: -left, "cancel each other"),
        (lambda left: -0.8 * left, "cancel each other"),
        (lambda left: 0 * left, "only channel 1 of 2 carries sound"),
        (lambda left: 0 * left + 0.2, "only channel 1 of 2 carries sound"),
        (lambda left: noise(len(left), 1e-5), "only channel 1 of 2 carries sound"),
        (lambda left: square(len(left)), "channel 2 carries a square wave such as timecode"),
    ],
)
def test_a_mix_that_would_cancel_the_voice_is_replaced_by_one_channel(
    tmp_path: Path, right: object, reason: str
) -> None:
    left = voice()
    path = written(tmp_path / "a.wav", left, right(left))  # type: ignore[operator]
    sound = open_sound(path)
    assert np.allclose(sound.read(0, sound.frames), left, atol=1e-6)
    (notice,) = sound.notices
    assert reason in notice
    assert "channel 1 alone is used" in notice
    assert np.allclose(live(path)[: len(left)], left, atol=1e-6)
    source = FileSource(path, now=lambda: 0.0)
    assert source.notices == sound.notices
    source.close()


@pytest.mark.parametrize(
    "right",
    [
        lambda left: left,
        lambda left: 0.3 * left,
        lambda left: np.roll(left, 9000),
        lambda left: noise(len(left)),
    ],
)
def test_coherent_channels_are_mixed_without_a_notice(tmp_path: Path, right: object) -> None:
    left = voice()
    other = right(left)  # type: ignore[operator]
    sound = open_sound(written(tmp_path / "a.wav", left, other))
    assert np.allclose(sound.read(0, sound.frames), (left + other) / 2, atol=1e-6)
    assert sound.notices == ()


def test_four_microphones_are_mixed_and_one_of_four_is_chosen(tmp_path: Path) -> None:
    one = voice()
    four = [np.roll(one, 5000 * n) for n in range(4)]
    assert open_sound(written(tmp_path / "a.wav", *four)).notices == ()
    nothing = np.zeros(len(one))
    lone = open_sound(written(tmp_path / "b.wav", nothing, nothing, one, nothing))
    assert lone.notices[0].startswith("only channel 3 of 4 carries sound")


def test_all_means_all_and_a_number_that_channel(tmp_path: Path) -> None:
    left = voice()
    path = written(tmp_path / "a.wav", left, -left)
    mixed = open_sound(path, ALL)
    assert not mixed.read(0, mixed.frames).any()
    assert mixed.notices == ()
    assert not live(path, ALL).any()
    right = open_sound(path, 2)
    assert np.allclose(right.read(0, right.frames), -left, atol=1e-6)
    assert np.allclose(live(path, 2)[: len(left)], -left, atol=1e-6)


def test_silence_selects_no_channel(tmp_path: Path) -> None:
    nothing = np.zeros(RATE_HZ)
    assert open_sound(written(tmp_path / "a.wav", nothing, nothing)).notices == ()

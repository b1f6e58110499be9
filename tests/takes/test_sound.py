from __future__ import annotations

import gc
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.audio.file import FileSource
from cstalk_bridge.audio.preprocessing import DcBlock, Preprocessor
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.takes.sound import (
    PIECE_S,
    EncodedSound,
    SampledSound,
    encode_flac,
    network_input,
    open_sound,
    pieces,
)
from tests.takes.render.recordings import speech

if TYPE_CHECKING:
    from pathlib import Path


def tone(rate_hz: int, seconds: float, channels: int = 1) -> np.ndarray:
    times_s = np.arange(int(rate_hz * seconds)) / rate_hz
    one = 0.5 * np.sin(2 * np.pi * 440 * times_s).astype(np.float32)
    return np.repeat(one[:, None], channels, axis=1)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_format_gives_all_its_samples(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ünï 'q' tone.{ending}"
    soundfile.write(path, tone(24_000, 1.5), 24_000)
    sound = open_sound(path)
    whole = sound.read(0, sound.frames)
    assert len(whole) == sound.frames
    assert sound.frames == pytest.approx(36_000, abs=1200)
    assert np.abs(whole).max() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("rate_hz", "kept_hz"),
    [(48_000, 48_000), (192_000, 48_000), (88_200, 44_100), (50_000, 25_000)],
)
def test_high_rates_are_divided_and_pieces_fit_together(
    tmp_path: Path, rate_hz: int, kept_hz: int
) -> None:
    path = tmp_path / "high.wav"
    soundfile.write(path, tone(rate_hz, 0.5, channels=8), rate_hz, subtype="FLOAT")
    sound = open_sound(path)
    assert (sound.rate_hz, sound.frames) == (kept_hz, kept_hz // 2)
    parts = np.concatenate([sound.read(start, 1000) for start in range(0, sound.frames, 1000)])
    inner = slice(kept_hz // 20, -kept_hz // 20)
    assert np.abs(parts - tone(kept_hz, 0.5)[:, 0])[inner].max() < 2e-3


@settings(max_examples=30)
@given(start=st.integers(0, 30_000), count=st.integers(0, 30_000))
def test_any_stretch_can_be_read_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, start: int, count: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "stretch.flac"
    if not path.exists():
        soundfile.write(path, tone(16_000, 1.0), 16_000)
    expected = soundfile.read(path, dtype="float32")[0][start : start + count]
    assert (open_sound(path).read(start, count) == expected).all()


def test_channels_are_mixed_or_picked(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    both = np.stack([np.full(100, 0.5), np.full(100, -0.25)], 1)
    soundfile.write(path, both, 8000, subtype="FLOAT")
    assert open_sound(path).read(0, 100) == pytest.approx(0.125)
    assert open_sound(path, channel=2).read(0, 100) == pytest.approx(-0.25)


def test_values_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([np.nan, np.inf, 0.5], np.float32), 8000, subtype="FLOAT")
    assert open_sound(path).read(0, 3).tolist() == [0.0, 0.0, 0.5]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.wav"
    soundfile.write(path, np.zeros((0, 2)), 4000)
    with pytest.raises(UserError) as error:
        open_sound(path, channel=3)
    assert [problem.what for problem in error.value.problems] == [
        "it contains no audio",
        "its sample rate of 4000 Hz is not within 8000 to 384000 Hz",
        "channel 3 does not exist, the file has 2",
    ]


def test_five_hours_are_too_long(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_U8") as file:
        silence = np.zeros(8000 * 600, np.float32)
        for _ in range(30):
            file.write(silence)
    with pytest.raises(UserError, match=r"lasts 5\.0 h, the limit is 4 h"):
        open_sound(path)


def test_a_damaged_file_says_where_it_breaks_off(tmp_path: Path) -> None:
    path = tmp_path / "broken.flac"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 64_000), 16_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="truncated at"):
        list(pieces(open_sound(path)))


def test_pieces_are_the_whole() -> None:
    samples = np.arange(PIECE_S * 100 * 2 + 30, dtype=np.float32)
    sound = SampledSound(samples, 100)
    assert [len(piece) for piece in pieces(sound)] == [PIECE_S * 100, PIECE_S * 100, 30]
    assert (np.concatenate(list(pieces(sound))) == samples).all()


@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_live_and_offline_hear_the_same_whatever_is_constant_in_it(
    tmp_path: Path, offset: float
) -> None:
    samples, _ = speech()
    voice = 0.7 * samples[:32_000]
    path = tmp_path / "offset.wav"
    soundfile.write(path, voice + offset, 16_000, subtype="FLOAT")
    offline = np.concatenate([*network_input(open_sound(path))])
    source, listener = FileSource(path, now=lambda: 0.0), Preprocessor(16_000)
    source.start()
    live = []
    for number in range(1, 110):
        for block in source.poll(number / 50):
            listener.push(block)
        live += [hop.samples for hop in listener.take_hops()]
    source.close()
    streamed = np.concatenate(live)[: len(offline)]
    assert np.abs(streamed - offline).max() < 1e-5
    assert abs(offline.mean()) < 1e-3
    assert np.abs(offline - DcBlock(16_000).push(voice)).max() < 1e-5


SAMPLES = (np.sin(np.arange(30_000) / 9) / 2).astype(np.float32)


class Damaged(SampledSound):
    def read(self, _start: int, _count: int) -> np.ndarray:
        raise UserError(Problem("x.wav", "damaged"))


def test_what_is_encoded_ahead_is_what_is_encoded_now_as_often_as_asked() -> None:
    sound = SampledSound(SAMPLES, 16_000)
    with ThreadPoolExecutor(1) as threads:
        ahead = EncodedSound(sound, threads)
        for _ in range(2):
            with ahead.flac() as flac, encode_flac(sound) as expected:
                assert flac.read() == expected.read()
    with encode_flac(sound) as flac:
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

from __future__ import annotations

import gc
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.audio.inputs import FileSource
from cstalk_bridge.audio.preprocessing import DcBlock, Preprocessor
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.takes.sound import (
    MAX_SAMPLES,
    PIECE_S,
    EncodedSound,
    SampledSound,
    encode_flac,
    network_input,
    open_sound,
    pieces,
    spectrogram_levels,
    waveform_extrema,
)
from tests.takes.render.recordings import speech

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def tone(rate_hz: int, seconds: float, channels: int = 1) -> np.ndarray:
    times_s = np.arange(int(rate_hz * seconds)) / rate_hz
    one = 0.5 * np.sin(2 * np.pi * 440 * times_s).astype(np.float32)
    return np.repeat(one[:, None], channels, axis=1)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_format_is_read_to_its_last_sample(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ünï 'q' tone.{ending}"
    soundfile.write(path, tone(24_000, 1.5), 24_000)
    sound = open_sound(path)
    whole = sound.read(0, sound.frames)
    assert len(whole) == sound.frames
    assert sound.frames == pytest.approx(36_000, abs=1200)
    assert np.abs(whole).max() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("rate_hz", "expected_hz"),
    [(48_000, 48_000), (192_000, 48_000), (88_200, 44_100), (50_000, 25_000)],
)
def test_high_rates_are_decimated_and_pieces_join_without_a_seam(
    tmp_path: Path, rate_hz: int, expected_hz: int
) -> None:
    path = tmp_path / "high.wav"
    soundfile.write(path, tone(rate_hz, 0.5, channels=8), rate_hz, subtype="FLOAT")
    sound = open_sound(path)
    assert (sound.rate_hz, sound.frames) == (expected_hz, expected_hz // 2)
    parts = np.concatenate([sound.read(start, 1000) for start in range(0, sound.frames, 1000)])
    inner = slice(expected_hz // 20, -expected_hz // 20)
    assert np.abs(parts - tone(expected_hz, 0.5)[:, 0])[inner].max() < 2e-3


@settings(max_examples=30)
@given(start=st.integers(0, 30_000), count=st.integers(0, 30_000))
def test_any_segment_can_be_read_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, start: int, count: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "stretch.flac"
    if not path.exists():
        soundfile.write(path, tone(16_000, 1.0), 16_000)
    expected = soundfile.read(path, dtype="float32")[0][start : start + count]
    assert (open_sound(path).read(start, count) == expected).all()


def test_channels_are_mixed_or_selected(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    both = np.stack([np.full(100, 0.5), np.full(100, -0.25)], 1)
    soundfile.write(path, both, 8000, subtype="FLOAT")
    assert open_sound(path).read(0, 100) == pytest.approx(0.125)
    assert open_sound(path, channel=2).read(0, 100) == pytest.approx(-0.25)


def test_values_that_are_not_finite_become_silence(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([np.nan, np.inf, 0.5], np.float32), 8000, subtype="FLOAT")
    assert open_sound(path).read(0, 3).tolist() == [0.0, 0.0, 0.5]


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.wav"
    soundfile.write(path, np.zeros((0, 2)), 4000)
    with pytest.raises(UserError) as error:
        open_sound(path, channel=3)
    assert [problem.what for problem in error.value.problems] == [
        "it contains no audio",
        "its sample rate of 4000 Hz is not within 8000 to 384000 Hz",
        "channel 3 does not exist, the file has 2",
    ]


def test_five_hours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_U8") as file:
        silence = np.zeros(8000 * 600, np.float32)
        for _ in range(30):
            file.write(silence)
    with pytest.raises(UserError, match=r"lasts 5\.0 h, the limit is 4 h"):
        open_sound(path)


def test_a_damaged_file_is_reported_with_the_position_of_the_damage(tmp_path: Path) -> None:
    path = tmp_path / "broken.flac"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 64_000), 16_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="truncated at"):
        list(pieces(open_sound(path)))


def test_pieces_equal_the_whole() -> None:
    samples = np.arange(PIECE_S * 100 * 2 + 30, dtype=np.float32)
    sound = SampledSound(samples, 100)
    assert [len(piece) for piece in pieces(sound)] == [PIECE_S * 100, PIECE_S * 100, 30]
    assert (np.concatenate(list(pieces(sound))) == samples).all()


@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_live_and_offline_input_are_the_same_at_any_dc_offset(
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


def test_encoding_ahead_equals_encoding_on_demand() -> None:
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


def test_an_unused_encoder_is_closed() -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(1) as threads:
            EncodedSound(SampledSound(SAMPLES, 16_000), threads)
            gc.collect()
        gc.collect()
    assert [str(warning.message) for warning in warned] == []


def test_damage_is_reported_to_the_reader() -> None:
    with ThreadPoolExecutor(1) as threads:
        ahead = EncodedSound(Damaged(SAMPLES, 16_000), threads)
        with pytest.raises(UserError, match="damaged"):
            ahead.flac()


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
def test_a_waveform_is_minimum_and_maximum_of_each_column(
    count: int, columns: int, begin: float, share: float
) -> None:
    samples = noise(count)
    start_s, end_s = begin * count / 1000, (begin + share * (1 - begin)) * count / 1000
    drawn = waveform_extrema(SampledSound(samples, 1000), start_s, end_s, columns)
    assert drawn.shape == (columns, 2)
    assert drawn.dtype == np.int8
    edges = (np.linspace(start_s, end_s, columns + 1) * 1000).astype(int)
    for (low, high), first, last in zip(drawn, edges, edges[1:], strict=False):
        column = samples[first : max(last, first + 1)]
        expected = (column.min(), column.max()) if len(column) else (0.0, 0.0)
        assert (low, high) == pytest.approx(np.array(expected) * 127, abs=0.51)


def test_beyond_the_sound_nothing_is_drawn() -> None:
    drawn = waveform_extrema(SampledSound(np.ones(1000, np.float32), 1000), 0.0, 2.0, 20)
    assert (drawn[:10] == 127).all()
    assert (drawn[10:] == 0).all()


@pytest.mark.parametrize("hz", [80.0, 440.0, 3000.0, 7000.0])
@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_a_sine_of_full_scale_is_white_in_its_band(hz: float, rate_hz: int) -> None:
    samples = np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz)
    drawn = spectrogram_levels(SampledSound(samples.astype(np.float32), rate_hz), 0.2, 0.8, 30, 40)
    assert drawn.shape == (40, 30)
    brightest = drawn.max(axis=0)
    assert (brightest >= 240).all()
    mel = np.log10(1 + np.array([60.0, hz, 8000.0]) / 700)
    expected = (mel[1] - mel[0]) / (mel[2] - mel[0]) * 41 - 1
    assert np.abs(drawn.argmax(axis=0) - expected).max() <= 1.5


def test_silence_is_black_and_quiet_sound_is_dark() -> None:
    assert not spectrogram_levels(
        SampledSound(np.zeros(16_000, np.float32), 16_000), 0, 1, 50, 32
    ).any()
    samples = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    loud, quiet = (
        int(spectrogram_levels(SampledSound(scale * samples, 16_000), 0.2, 0.8, 1, 32).max())
        for scale in (1.0, 0.1)
    )
    assert loud - quiet == pytest.approx(20 / 80 * 255, abs=2)


def test_of_long_sound_little_is_read_in_pieces() -> None:
    for columns in (1, 800, 4096):
        sound = LongSound(1000.0)
        drawn = waveform_extrema(sound, 0.0, 7200.0, columns)
        assert (np.abs(drawn) >= 126).all()
        assert sound.read_samples <= MAX_SAMPLES
        sound = LongSound(1000.0)
        picture = spectrogram_levels(sound, 0.0, 7200.0, columns, 64)
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
def test_out_of_range_requests_are_reported(wrong: tuple[float, float, int, int]) -> None:
    with pytest.raises(ValueError, match=r"is no|is not within"):
        spectrogram_levels(SampledSound(noise(16_000), 16_000), *wrong)

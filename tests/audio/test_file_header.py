"""Recordings whose headers promise less or more than they hold, or nothing."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from cstalk_bridge.audio.decoder import open_decoder
from cstalk_bridge.audio.file_header import NO_END_MARK, NO_LENGTH, read_layout
from cstalk_bridge.audio.inputs import FileSource
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.takes.sound import open_sound, pieces
from tests.takes.render.recordings import speech

if TYPE_CHECKING:
    from pathlib import Path


SECONDS = 3.0


def voice() -> tuple[np.ndarray, int]:
    samples, rate_hz = speech()
    return samples[: int(SECONDS * rate_hz)], rate_hz


def written(path: Path, form: str, subtype: str | None = None, **options: object) -> bytes:
    samples, rate_hz = voice()
    soundfile.write(path, samples, rate_hz, format=form, subtype=subtype, **options)
    return path.read_bytes()


def read_all(path: Path) -> np.ndarray:
    return np.concatenate([*pieces(open_sound(path))])


def seconds_of(path: Path) -> float:
    sound = open_sound(path)
    assert len(read_all(path)) == sound.frames
    return sound.frames / sound.rate_hz


def without_xing(path: Path, mode: str) -> bytes:
    """Return an MP3 stream without its first frame, which holds its length."""
    data = written(path, "MP3", bitrate_mode=mode, compression_level=0.6)
    place = max(data.find(b"Xing"), data.find(b"Info"))
    assert 0 < place < 4096
    return data[data.index(data[:2], place) :]


@pytest.mark.parametrize("mode", ["VARIABLE", "CONSTANT"])
@pytest.mark.parametrize("tag", [b"", b"ID3\x04\0\0\0\0\0\x05hello"])
def test_an_mp3_without_a_header_of_its_length_is_read_to_its_end(
    tmp_path: Path, mode: str, tag: bytes
) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(tag + without_xing(path, mode))
    assert seconds_of(path) == pytest.approx(SECONDS, abs=0.1)
    samples, rate_hz = voice()
    last = read_all(path)[-rate_hz:]
    assert np.sqrt(np.mean(last**2)) > 0.5 * np.sqrt(np.mean(samples[-rate_hz:] ** 2))


def test_two_mp3_files_that_were_joined_are_read_to_the_end_of_the_second(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    data = written(path, "MP3")
    path.write_bytes(data + data)
    assert seconds_of(path) == pytest.approx(2 * SECONDS, abs=0.2)


def test_a_whole_mp3_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    written(path, "MP3")
    assert not read_layout(path).is_patched
    assert seconds_of(path) == pytest.approx(SECONDS, abs=0.001)


def test_an_mp3_without_any_length_header_is_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    data = bytearray(written(path, "MP3"))
    data[2] &= 0x0F
    path.write_bytes(data)
    assert not read_layout(path).is_patched


def test_a_header_that_promises_slightly_too_much_does_not_mark_a_file_as_truncated(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(written(path, "WAV")[:-2])
    samples, _ = voice()
    assert open_sound(path).frames == len(samples) - 1


def test_a_flac_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    data = bytearray(written(path, "FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    sound = open_sound(path)
    samples, _ = voice()
    assert sound.frames == len(samples)
    assert sound.notices == (NO_LENGTH,)
    assert np.allclose(read_all(path), samples, atol=1e-4)
    assert np.allclose(sound.read(7000, 100), samples[7000:7100], atol=1e-4)


def test_a_damaged_flac_of_unknown_length_is_not_taken_for_a_short_one(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    data = bytearray(written(path, "FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes(3000) + data[middle + 3000 :])
    with pytest.raises(UserError, match=r"damaged: it is truncated at [01]\.\d\d s"):
        open_sound(path)


@pytest.mark.parametrize("size", [0, 0x7FFF_FFFF - 36, 0xFFFF_FFFF])
def test_a_wav_of_a_recorder_that_crashed_is_read_with_a_notice(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.wav"
    data = bytearray(written(path, "WAV"))
    place = data.index(b"data")
    data[place + 4 : place + 8] = struct.pack("<I", size)
    data[4:8] = struct.pack("<I", size)
    path.write_bytes(data)
    sound = open_sound(path)
    samples, _ = voice()
    assert (sound.frames, sound.notices) == (len(samples), (NO_LENGTH,))
    assert np.allclose(read_all(path), samples, atol=1e-4)
    source = FileSource(path, now=lambda: 0.0)
    assert source.notices == (NO_LENGTH,)
    source.close()


def test_an_aiff_of_a_recorder_that_crashed_is_read_with_a_notice(tmp_path: Path) -> None:
    path = tmp_path / "a.aiff"
    data = bytearray(written(path, "AIFF"))
    place, common = data.index(b"SSND"), data.index(b"COMM")
    data[place + 4 : place + 8] = bytes(4)
    data[common + 10 : common + 14] = bytes(4)
    path.write_bytes(data)
    assert seconds_of(path) == pytest.approx(SECONDS, abs=1e-3)
    assert open_sound(path).notices == (NO_LENGTH,)


def test_an_empty_wav_with_trailing_chunks_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0), 16_000)
    data = bytearray(path.read_bytes())
    path.write_bytes(data + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(UserError, match="contains no audio"):
        open_sound(path)


@pytest.mark.parametrize(
    ("name", "form", "subtype"),
    [
        ("a.wav", "WAV", "GSM610"),
        ("a.wav", "WAV", "NMS_ADPCM_32"),
        ("a.au", "AU", "G721_32"),
        ("a.w64", "W64", "GSM610"),
    ],
)
def test_codecs_without_seeking_can_be_read_at_any_position(
    tmp_path: Path, name: str, form: str, subtype: str
) -> None:
    path = tmp_path / name
    written(path, form, subtype)
    whole = read_all(path)
    assert len(whole) / open_sound(path).rate_hz == pytest.approx(SECONDS, abs=0.05)
    sound = open_sound(path)
    for start in (5000, 100, 20_000, 5050, 0, 19_990):
        assert (sound.read(start, 700) == whole[start : start + 700]).all()


def test_a_codec_without_seeking_can_be_looped(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    written(path, "WAV", "GSM610")
    source = FileSource(path, now=lambda: 0.0, is_loop=True)
    source.start()
    frames_played, now_s = 0, 0.0
    while now_s < 2.5 * SECONDS:
        now_s += 0.5
        frames_played += sum(len(block.samples) for block in source.poll(now_s))
    assert frames_played == pytest.approx(now_s * source.rate_hz, abs=source.rate_hz / 50)
    source.close()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.wav", "WAV"),
        ("a.rf64", "RF64"),
        ("a.w64", "W64"),
        ("a.aiff", "AIFF"),
        ("a.au", "AU"),
        ("a.mp3", "MP3"),
        ("a.flac", "FLAC"),
    ],
)
def test_a_truncated_file_is_never_taken_for_a_short_one(
    tmp_path: Path, name: str, form: str
) -> None:
    path = tmp_path / name
    data = written(path, form)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"truncated at 1\.[3-6]\d s of (3\.0|2\.9)\d s"):
        read_all(path)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_a_truncated_file_is_played_to_its_end_with_a_notice(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    data = written(path, name[2:].upper())
    path.write_bytes(data[: len(data) // 2])
    source = FileSource(path, now=lambda: 0.0)
    assert "truncated at 1." in source.notices[-1]
    source.start()
    frames_played = sum(len(block.samples) for n in range(20) for block in source.poll(n / 5))
    assert frames_played / source.rate_hz == pytest.approx(SECONDS / 2, abs=0.2)
    source.close()


def test_a_truncated_opus_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.opus"
    samples, rate_hz = speech()
    soundfile.write(path, np.tile(samples, 3), rate_hz, format="OGG", subtype="OPUS")
    assert open_sound(path).notices == ()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    assert open_sound(path).notices == (NO_END_MARK,)


HEADS = [
    *(b"", b"RIFF\0\0\0\0WAVE", b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0"),
    *(b"FORM\0\0\0\0AIFF", b"fLaC", b"ID3\x04\0\0\0\0\0\x05", b"\xff\xfb\x90\0"),
    *(b".snd", b"OggS", b"riff\x2e\x91\xcf\x11"),
    *(b"\0\0\0\x18ftypM4A ", b"\x1aE\xdf\xa3", b"\xff\xf1P\x80"),
]


@settings(max_examples=200)
@given(
    head=st.sampled_from(HEADS),
    rest=st.binary(max_size=300),
)
def test_no_header_raises_an_unexpected_error(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, rest: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(head + rest)
    try:
        decoder, _ = open_decoder(path)
    except UserError:
        return
    decoder.read(1000)
    decoder.close()

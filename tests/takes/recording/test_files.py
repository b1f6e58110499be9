"""Sound files on disk, read by libsndfile and field by field."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.audio.stream import AudioHistory, HistoryPosition
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.takes.recording.files import (
    JUMP_S,
    Origin,
    SoundTrack,
    WaveFile,
    pcm,
    repair_wave,
    stretched,
    wave_header,
)
from tests.takes.recording.harness import tone

if TYPE_CHECKING:
    from pathlib import Path


ORIGIN = Origin(
    "MySlate_3_CSTalk at 60 fps", "MySlate_3_CSTalk", "2025-02-28", "14:56:23", 2**32 + 5
)


def chunks(data: bytes) -> dict[bytes, bytes]:
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    found, place = {}, 12
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        found[name] = data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    assert place == len(data)
    return found


def test_every_field_is_at_its_offset_in_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = WaveFile(path, 48_000, ORIGIN)
    file.append(np.array([0.5, -0.5, 1.5], dtype=np.float32))
    file.close()
    found = chunks(path.read_bytes())
    extension = found[b"bext"]
    assert extension[:256].rstrip(b"\0") == b"MySlate_3_CSTalk at 60 fps"
    assert extension[256:288].rstrip(b"\0") == b"CSTalk Bridge"
    assert extension[288:320].rstrip(b"\0") == b"MySlate_3_CSTalk"
    assert extension[320:338] == b"2025-02-2814:56:23"
    low, high, version = struct.unpack("<IIH", extension[338:348])
    assert (low, high, version) == (5, 1, 1)
    assert not any(extension[348:602])
    assert extension[602:].rstrip(b"\0") == b"A=PCM,F=48000,W=24,M=mono,T=CSTalk Bridge\r\n"
    assert found[b"data"] == bytes.fromhex("000040 0000c0 ffff7f")


@given(st.lists(st.floats(-1, 0.75, width=32), max_size=40))
def test_samples_are_rounded_to_24_bits(values: list[float]) -> None:
    samples = np.array(values, dtype=np.float32)
    triples = np.frombuffer(pcm(samples), dtype=np.uint8).reshape(-1, 3)
    whole = np.pad(triples, ((0, 0), (1, 0))).copy().view("<i4").ravel() / 2**31
    np.testing.assert_allclose(whole, samples, atol=2**-24)


def test_the_file_is_valid_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = WaveFile(path, 16_000, ORIGIN)
    whole = (np.sin(np.arange(5000) / 10) / 2).astype(np.float32)
    for end in (1, 1000, 4999, 5000):
        file.append(whole[file.frames : end])
        samples, rate_hz = soundfile.read(path, dtype="float32")
        assert rate_hz == 16_000
        np.testing.assert_allclose(samples, whole[:end], atol=2**-23)
    file.close()
    assert len(path.read_bytes()) % 2 == 0


@given(cut=st.integers(0, 700 + 30), wrong=st.integers(0, 2**32 - 1))
def test_a_truncated_file_is_repaired(
    cut: int, wrong: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "a.wav"
    head = bytearray(wave_header(16_000, ORIGIN))
    struct.pack_into("<I", head, len(head) - 4, wrong)
    whole = bytes(head) + pcm(np.full(10, 0.25, dtype=np.float32))
    path.write_bytes(whole[:cut])
    if cut < len(head):
        with pytest.raises(ValueError, match="start"):
            repair_wave(path)
        return
    frames = min(10, (cut - len(head)) // 3)
    assert repair_wave(path) == repair_wave(path) == frames
    assert len(chunks(path.read_bytes())[b"data"]) == 3 * frames


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"mine")
    with pytest.raises(UserError, match="already exists"):
        WaveFile(path, 16_000, ORIGIN)
    assert path.read_bytes() == b"mine"


RATE_HZ = 48_000
PIECE = RATE_HZ // 4


def played(drift: float, pieces: int) -> tuple[SoundTrack, np.ndarray]:
    """Read pieces of a hum from a device that is `drift` too fast."""
    history, track = AudioHistory(RATE_HZ), SoundTrack(RATE_HZ)
    parts = []
    for piece in range(pieces):
        end = int((piece + 2) * PIECE * (1 + drift))
        history.write(tone(RATE_HZ, history.end, end - history.end))
        parts.append(track.take(HistoryPosition(history, piece / 4 * (1 + drift)), PIECE))
    return track, np.concatenate(parts)


def test_samples_are_copied_where_clocks_agree() -> None:
    track, sound = played(0.0, 8)
    assert np.array_equal(sound, tone(RATE_HZ, 0, len(sound)))
    assert (track.jumps, track.missing) == (0, 0)


@pytest.mark.parametrize("drift", [-200e-6, -20e-6, 50e-6, 200e-6])
def test_sound_stays_aligned_with_its_frames_for_minutes(drift: float) -> None:
    track, sound = played(drift, 4 * 120)
    assert (track.jumps, track.missing) == (0, 0)
    # A hum of 440 Hz: its phase gives the time of a sample, to 1.1 ms either way.
    times_s = np.arange(len(sound)) / RATE_HZ
    turning = np.exp(-2j * np.pi * 440 * (1 + drift) * times_s)
    lag = (sound * turning).reshape(-1, PIECE).mean(axis=1)
    shift_s = np.unwrap(np.angle(lag * 4j)) / (2 * np.pi * 440)
    assert np.abs(shift_s).max() < 0.00125
    assert np.abs(np.diff(sound)).max() < 1.05 * np.abs(np.diff(tone(RATE_HZ, 0, PIECE))).max()


def test_a_clock_jump_is_followed_and_counted() -> None:
    history, track = AudioHistory(RATE_HZ), SoundTrack(RATE_HZ)
    history.write(tone(RATE_HZ, 0, RATE_HZ))
    history.write(tone(RATE_HZ, RATE_HZ, RATE_HZ))
    track.take(HistoryPosition(history, 0.0), PIECE)
    late_s = 0.25 + 2 * JUMP_S
    assert np.array_equal(
        track.take(HistoryPosition(history, late_s), PIECE),
        tone(RATE_HZ, round(late_s * RATE_HZ), PIECE),
    )
    assert track.jumps == 1


def test_missing_sound_becomes_silence() -> None:
    history, track = AudioHistory(RATE_HZ), SoundTrack(RATE_HZ)
    history.write(tone(RATE_HZ, 0, PIECE))
    assert not track.take(None, PIECE).any()
    assert not track.take(HistoryPosition(AudioHistory(16_000), 0.0), PIECE).any()
    before = track.take(HistoryPosition(history, -0.125), PIECE)
    assert not before[: PIECE // 2].any()
    assert np.array_equal(before[PIECE // 2 :], tone(RATE_HZ, 0, PIECE // 2))
    assert track.missing == PIECE // 2


@pytest.mark.parametrize("count", [990, 999, 1001, 1010])
def test_time_stretching_preserves_the_waveform(count: int) -> None:
    samples = tone(RATE_HZ, -1, 1003)
    places = np.arange(count) * 1000 / count
    exact = 0.5 * np.sin(2 * np.pi * 440 * places / RATE_HZ)
    np.testing.assert_allclose(stretched(samples, count), exact, atol=1e-4)

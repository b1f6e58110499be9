from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.file import FileSource
from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.models.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def stereo(frames: int) -> np.ndarray:
    """A slow tone on the left, another one, softer, on the right."""
    left = 0.5 * np.sin(2 * np.pi * np.arange(frames) / 500)
    return np.stack([left, 0.25 * np.cos(2 * np.pi * np.arange(frames) / 400)], axis=1)


def played(source: FileSource, until_s: float = 10.0) -> np.ndarray:
    """All samples up to a host time, from a source whose clock stands at 0."""
    source.start()
    pieces, now_s = [np.zeros(0, np.float32)], 0.0
    while source.next_due_s is not None and source.next_due_s <= until_s:
        now_s = source.next_due_s
        pieces += [block.samples for block in source.poll(now_s)]
    source.close()
    return np.concatenate(pieces)


def opened(path: Path, **options: object) -> FileSource:
    return FileSource(path, now=lambda: 0.0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "FLOAT", 1e-7),
        ("a.flac", "PCM_24", 1e-6),
        ("a.ogg", "VORBIS", 0.02),
        ("a.aiff", "PCM_16", 1e-4),
    ],
)
@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000])
def test_what_is_in_the_file_is_played(
    tmp_path: Path, name: str, subtype: str, tolerance: float, rate_hz: int
) -> None:
    sound = stereo(rate_hz // 2 + 7)
    soundfile.write(tmp_path / name, sound, rate_hz, subtype=subtype)
    heard = played(opened(tmp_path / name, channel=2))
    assert np.allclose(heard[: len(sound)], sound[:, 1], atol=tolerance)
    assert not heard[len(sound) :].any(), "the last block is filled up with silence"
    assert len(heard) - len(sound) < rate_hz / 100 + 1


def test_without_a_channel_all_are_mixed(tmp_path: Path) -> None:
    sound = stereo(1600)
    soundfile.write(tmp_path / "a.wav", sound, 16000, subtype="FLOAT")
    assert np.allclose(played(opened(tmp_path / "a.wav")), sound.mean(axis=1), atol=1e-7)


def test_blocks_are_10_ms_on_the_average_and_stamped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(11025), 11025)
    source = FileSource(tmp_path / "a.wav", now=lambda: 50.0)
    source.start()
    blocks = source.poll(50.2005)
    assert len(blocks) == 20
    assert sum(len(block.samples) for block in blocks) == 2205
    assert blocks[3].captured_s == pytest.approx(50.03)
    # However late it is read, it was there when a microphone would have delivered it.
    assert blocks[3].arrived_s == pytest.approx(50.04)
    assert not source.is_device
    source.close()


def test_nothing_is_played_before_the_start(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(1600), 16000)
    source = opened(tmp_path / "a.wav")
    assert source.next_due_s is None
    assert source.poll(5.0) == []
    source.close()


def test_it_ends_after_its_last_block(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.ones(1600) * 0.1, 16000)
    source = opened(tmp_path / "a.wav")
    source.start()
    assert len(source.poll(0.1)) == 10
    assert source.state is SourceState.RUNNING
    assert source.poll(0.11) == []
    assert source.state is SourceState.ENDED
    assert source.next_due_s is None
    source.reopen()
    assert source.state is SourceState.ENDED
    source.close()
    source.close()


def test_a_loop_goes_on_without_a_gap(tmp_path: Path) -> None:
    sound = stereo(1234)[:, 0]
    soundfile.write(tmp_path / "a.wav", sound, 16000, subtype="FLOAT")
    heard = played(opened(tmp_path / "a.wav", is_loop=True), until_s=0.5)
    assert len(heard) == 8000
    assert np.allclose(heard, np.resize(sound, 8000), atol=1e-7)


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        opened(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.wav")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "not a file" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no audio at all", b"RIFF\xff\xff\xff\xffWAVEfmt "])
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert "damaged or no audio file" in refusal(path)


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    assert "no readable audio" in refusal(tmp_path / "a.wav")


def test_a_channel_out_of_range_is_refused_with_what_there_is(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", stereo(1600), 16000)
    message = refusal(tmp_path / "a.wav", channel=3)
    assert "channel 3 does not exist, the file has 2" in message


def test_a_rate_out_of_range_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(400), 4000)
    assert "4000 Hz is not within 8000..384000 Hz" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_file_that_breaks_off_is_played_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    sound = 0.3 * np.random.default_rng(0).normal(size=64000).clip(-1, 1)
    soundfile.write(path, sound, 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = opened(path)
    heard = played(source)
    assert source.state is SourceState.ENDED
    assert 0 < len(heard) <= 64000


def test_where_a_file_breaks_off_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 64000), 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = opened(path)
    heard = played(source)
    (record,) = caplog.records
    said = float(record.getMessage().partition("truncated at ")[2].partition(" s")[0])
    assert said == pytest.approx(len(heard) / 16000, abs=0.02)

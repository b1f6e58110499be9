"""Files of users, valid and hostile, sent to a real server."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.audio.inputs import AUDIO_SUFFIXES
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.preview.recordings import (
    MAX_LABEL,
    MAX_RECORDINGS,
    Recording,
    Recordings,
    label_of,
    new_id,
    suffix_of,
)
from cstalk_bridge.takes.sound import SampledSound
from tests.preview.serving import Serving, voice, wav
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


HOSTILE = (
    "two words.wav",
    "Käthe Ümläut.wav",
    "日本語.wav",
    'it\'s "quoted".wav',
    "../../../../tmp/escaped.wav",
    "..\\..\\escaped.wav",
    "/etc/passwd",
    "C:\\Windows\\x.wav",
    "line\r\nbreak\x00and\x1b[31mcolour.wav",
    "con.wav",
    ".",
    "..",
    "",
    "%2e%2e%2f.wav",
    "x" * 5000 + ".wav",
    "\u202egnp.wav",
    "{0} %s <script>alert(1)</script>.wav",
)


def uploaded(serving: Serving, tmp_path: Path, samples: Any, rate_hz: int, **more: Any) -> Any:
    suffix = str(more.get("format", "wav")).lower()
    content = wav(tmp_path / f"x.{suffix}", samples, rate_hz, **more)
    answer = serving.upload(content, f"x.{suffix}")
    assert answer.status == 201, answer.body
    return answer.document


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_only_a_label(serving: Serving, tmp_path: Path, name: str) -> None:
    folder = serving.preview.folder
    answer = serving.upload(wav(tmp_path / "x.wav", voice(0.1)), name)
    assert answer.status == 201
    assert answer.document["name"] == label_of(name)
    assert answer.document["name"].isprintable()
    for path in folder.rglob("*"):
        assert path.parent == folder
        assert re.fullmatch(r"[0-9a-f]{16}(\.\w+)?", path.name)


@given(st.text())
def test_labels_and_suffixes_are_harmless(name: str) -> None:
    label = label_of(name)
    assert 1 <= len(label) <= MAX_LABEL
    assert label.isprintable()
    assert not set(label) & set("/\\")
    assert label_of(label) == label
    assert suffix_of(name) in ("", *AUDIO_SUFFIXES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged or no audio file"),
        (b"RIFF\xff\xff\xff\xffWAVE", "damaged or no audio file"),
        (b"hello, I am a text", "damaged or no audio file"),
        (bytes(100_000), "damaged or no audio file"),
        (b"<html>" * 1000, "damaged or no audio file"),
    ],
)
def test_an_unreadable_sound_is_reported_by_its_name(
    serving: Serving, content: bytes, message: str
) -> None:
    before = set(serving.preview.folder.iterdir())
    answer = serving.upload(content, "my song.wav")
    assert answer.status == 400
    assert answer.problems.startswith("my song.wav |")
    assert message in answer.problems
    assert str(serving.preview.folder) not in answer.problems
    assert set(serving.preview.folder.iterdir()) == before


def test_a_file_without_a_single_sample_is_reported(serving: Serving, tmp_path: Path) -> None:
    answer = serving.upload(wav(tmp_path / "x.wav", np.zeros(0, np.float32)), "empty.wav")
    assert answer.status == 400
    assert "contains no audio" in answer.problems


def test_silence_is_a_take_with_a_notice(serving: Serving, tmp_path: Path) -> None:
    take = serving.take_of(wav(tmp_path / "x.wav", np.zeros(8000, np.float32)))
    assert take["state"] == "ready"
    assert "silent" in take["notice"]
    assert take["rows"] == 25


def test_eight_channels_are_mixed(serving: Serving, tmp_path: Path) -> None:
    samples = np.stack([np.roll(voice(0.5), 900 * turn) for turn in range(8)], axis=1)
    recording = uploaded(serving, tmp_path, samples, 16_000)
    take = serving.finished(serving.begin(recording["recording"])["id"])
    assert (take["state"], take["notice"]) == ("ready", None)
    sound = serving.ask(f"/api/takes/{take['id']}/sound").body
    (tmp_path / "y.flac").write_bytes(sound)
    decoded, _ = soundfile.read(tmp_path / "y.flac")
    assert np.abs(decoded - samples.mean(axis=1)).max() < 1e-3


def test_channels_of_which_only_one_holds_sound_are_reported(
    serving: Serving, tmp_path: Path
) -> None:
    samples = np.stack([voice(0.5), np.zeros(8000)], axis=1)
    recording = uploaded(serving, tmp_path, samples, 16_000)
    take = serving.finished(serving.begin(recording["recording"])["id"])
    assert take["state"] == "ready"
    assert "only channel 1 of 2 carries sound" in take["notice"]


def test_192_khz_are_played_at_48(serving: Serving, tmp_path: Path) -> None:
    recording = uploaded(serving, tmp_path, voice(0.5, 192_000), 192_000)
    take = serving.finished(serving.begin(recording["recording"])["id"])
    assert take["state"] == "ready"
    assert take["duration_s"] == 0.5
    (tmp_path / "y.flac").write_bytes(serving.ask(f"/api/takes/{take['id']}/sound").body)
    assert soundfile.info(tmp_path / "y.flac").samplerate == 48_000


@pytest.mark.parametrize("rate_hz", [4000, 1_000_000])
def test_rates_out_of_range_are_reported(serving: Serving, tmp_path: Path, rate_hz: int) -> None:
    answer = serving.upload(wav(tmp_path / "x.wav", voice(0.1), rate_hz), "x.wav")
    assert answer.status == 400
    assert f"{rate_hz} Hz" in answer.problems


def test_a_damaged_sound_fails_its_take(serving: Serving, tmp_path: Path) -> None:
    content = wav(tmp_path / "x.flac", np.random.default_rng(1).uniform(-0.5, 0.5, 160_000))
    answer = serving.upload(content[: len(content) // 2], "broken.flac")
    assert answer.status == 201
    take = serving.finished(serving.begin(answer.document["recording"])["id"])
    assert take["state"] == "failed"
    assert take["problems"][0]["where"] == "broken.flac"
    assert "truncated" in take["problems"][0]["what"]
    assert serving.ask(f"/api/takes/{take['id']}/curves").status == 409
    assert serving.ask(f"/api/takes/{take['id']}/sound").status == 400


def test_more_than_a_gibibyte_is_refused_before_it_is_sent(serving: Serving) -> None:
    headers = {"Content-Length": str(5 << 30)}
    answer = serving.ask("/api/recordings?name=film.wav", method="POST", headers=headers)
    assert answer.status == 413
    assert "1024 MiB" in answer.problems
    assert answer.problems.startswith("film.wav |")


def test_an_aborted_upload_leaves_nothing(serving: Serving) -> None:
    before = set(serving.preview.folder.iterdir())
    for content in (b"", bytes(3 << 20)):
        with socket.create_connection(("127.0.0.1", serving.port)) as sending:
            sending.sendall(
                f"POST /api/recordings?name=x.wav HTTP/1.1\r\nHost: {serving.address}\r\n"
                f"Content-Length: {100 << 20}\r\n\r\n".encode()
            )
            sending.sendall(content)
    wait_until(lambda: set(serving.preview.folder.iterdir()) == before)
    assert serving.notices == []


async def pieces(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(size)


def test_an_upload_beyond_the_limit_leaves_nothing(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, max_upload_bytes=3 << 20, max_held_bytes=4 << 20)
    with pytest.raises(UserError, match="a file may have 3 MiB"):
        asyncio.run(recordings.store(pieces(100, 1 << 16), "x"))
    assert not list(tmp_path.iterdir())
    stored = asyncio.run(recordings.store(pieces(40, 1 << 16), "x"))
    assert stored.stat().st_size == 40 << 16
    with pytest.raises(UserError, match="all files of this session together may have 4 MiB"):
        asyncio.run(recordings.store(pieces(40, 1 << 16), "x"))
    assert list(tmp_path.iterdir()) == [stored]


def test_the_least_recently_used_recording_makes_room(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path)

    def added(in_use: set[str]) -> Recording:
        path = tmp_path / new_id()
        path.touch()
        recording = Recording(new_id(), "x", SampledSound(voice(0.1), 16_000), path)
        recordings.add(recording, in_use)
        return recording

    held = [added(set()) for _ in range(MAX_RECORDINGS)]
    recordings.get(held[0].id)
    added({held[1].id})
    assert [recording for recording in held if recording not in list(recordings)] == [held[2]]
    assert held[2].path
    assert not held[2].path.exists()
    with pytest.raises(UserError, match="in use"):
        added({recording.id for recording in recordings})

"""Sound in the containers of cameras, phones and browsers, made and read by PyAV."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from cstalk_bridge.audio.decoder import CONTAINER_SUFFIXES, EXTRA
from cstalk_bridge.audio.inputs import FileSource
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.takes.sound import open_sound, pieces
from tests.takes.render.recordings import speech

if TYPE_CHECKING:
    from pathlib import Path


KINDS = [
    ("a.m4a", "mp4", "aac"),
    ("a.mp4", "mp4", "aac"),
    ("a.mov", "mov", "pcm_s16le"),
    ("a.webm", "webm", "libopus"),
    ("a.mkv", "matroska", "flac"),
    ("a.aac", "adts", "aac"),
]
RATE_HZ = 48_000
SECONDS = 2.0


def voice() -> np.ndarray:
    samples, rate_hz = speech()
    places = np.arange(int(SECONDS * RATE_HZ)) * rate_hz / RATE_HZ
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def write_container(
    path: Path, form: str, codec: str, channels: np.ndarray, *, has_picture: bool = False
) -> Path:
    """Write channels, [frames, channels] at 48 kHz, behind a picture where one is asked for."""
    layout = "mono" if channels.shape[1] == 1 else "stereo"
    with av.open(str(path), "w", format=form) as file:
        if has_picture:
            video = file.add_stream("mpeg4", rate=25)
            video.width, video.height = 32, 32
        sound = file.add_stream(codec, rate=RATE_HZ, layout=layout)
        if has_picture:
            for number in range(int(SECONDS * 25)):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
                picture.pts = number
                file.mux(video.encode(picture))
            file.mux(video.encode(None))
        whole = np.ascontiguousarray(channels.T, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(whole, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
        file.mux(sound.encode(frame))
        file.mux(sound.encode(None))
    return path


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return the greatest over the delays that encoders add, up to 50 ms."""
    count = min(len(one), len(other)) - 2400
    middle = one[1200:count]
    return max(
        float(np.corrcoef(middle, other[1200 + shift : count + shift])[0, 1])
        for shift in range(-1200, 2400, 8)
    )


@pytest.mark.parametrize(("name", "form", "codec"), KINDS)
def test_every_container_is_read_to_its_end(
    tmp_path: Path, name: str, form: str, codec: str
) -> None:
    path = write_container(tmp_path / name, form, codec, voice()[:, None])
    sound = open_sound(path)
    decoded = np.concatenate([*pieces(sound)])
    assert (sound.rate_hz, len(decoded)) == (RATE_HZ, sound.frames)
    assert sound.frames / RATE_HZ == pytest.approx(SECONDS, abs=0.08)
    assert correlation(voice(), decoded) > 0.95
    assert (sound.read(30_000, 500) == decoded[30_000:30_500]).all()


def test_video_sound_is_read_and_a_channel_can_be_selected(tmp_path: Path) -> None:
    both = np.stack([voice(), np.sin(np.arange(len(voice())) / 7) * 0.4], 1)
    path = write_container(tmp_path / "f.mp4", "mp4", "aac", both, has_picture=True)
    left = open_sound(path, 1)
    assert correlation(voice(), left.read(0, left.frames)) > 0.95
    right = open_sound(path, 2)
    assert correlation(both[:, 1], right.read(0, right.frames)) > 0.95


def test_video_sound_is_played_live(tmp_path: Path) -> None:
    path = write_container(tmp_path / "a.m4a", "mp4", "aac", voice()[:, None])
    source = FileSource(path, now=lambda: 0.0, is_loop=True)
    source.start()
    blocks = [block for n in range(1, 11) for block in source.poll(n / 2)]
    assert sum(len(block.samples) for block in blocks) == pytest.approx(5 * RATE_HZ, abs=960)
    source.close()


@pytest.mark.parametrize(("name", "form", "codec"), KINDS[:2])
def test_a_truncated_video_is_refused(tmp_path: Path, name: str, form: str, codec: str) -> None:
    """Its index stands at its end."""
    path = write_container(tmp_path / name, form, codec, voice()[:, None])
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="an MP4, M4A or MOV file that is damaged or cut off"):
        open_sound(path)


def test_a_truncated_matroska_file_reports_how_much_was_read(tmp_path: Path) -> None:
    path = write_container(tmp_path / "a.mkv", "matroska", "flac", voice()[:, None])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"truncated at (0\.[89]|1\.[01])\d s"):
        open_sound(path)


def test_without_pyav_the_error_names_the_format_and_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_container(tmp_path / "a.m4a", "mp4", "aac", voice()[:, None])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError) as caught:
        open_sound(path)
    (problem,) = caught.value.problems
    assert problem.what == "is an MP4, M4A or MOV file, for which PyAV is not installed"
    assert f"pip install 'cstalk-bridge[{EXTRA}]'" in problem.remedy


def test_an_unknown_codec_is_reported(tmp_path: Path) -> None:
    path = write_container(tmp_path / "a.m4a", "mp4", "aac", voice()[:, None])
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"xyzw").replace(b"esds", b"free"))
    with pytest.raises(UserError, match="of no known codec"):
        open_sound(path)


def test_a_video_without_sound_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w", format="mp4") as file:
        video = file.add_stream("mpeg4", rate=25)
        video.width, video.height = 32, 32
        file.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        file.mux(video.encode(None))
    with pytest.raises(UserError, match="without an audio track"):
        open_sound(path)


@pytest.mark.parametrize("suffix", CONTAINER_SUFFIXES)
def test_a_missing_file_is_reported_as_missing(tmp_path: Path, suffix: str) -> None:
    from cstalk_bridge.audio.inputs import open_source
    from cstalk_bridge.audio.source import AudioConfig

    spec = AudioConfig(input=str(tmp_path / f"none{suffix}"))
    with pytest.raises(UserError, match="No such file"):
        open_source(spec, now=lambda: 0.0, wake=None)  # type: ignore[arg-type]

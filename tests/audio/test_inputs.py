"""Which source an input setting opens, and what happens without a sound device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.inputs import (
    PATTERN,
    SOUND_S,
    SPEECH_PATH,
    FileSource,
    OpenedSource,
    VowelSource,
    open_source,
)
from cstalk_bridge.audio.levels import rms_db
from cstalk_bridge.audio.source import AudioConfig, Source, SourceState
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.audio.conftest import ROOT
from tests.timecode.ltc_sound import labels, sound

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.bench.microphone import FakeMicrophones


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
def test_a_file_is_played_sample_by_sample(
    tmp_path: Path, name: str, subtype: str, tolerance: float, rate_hz: int
) -> None:
    sound = stereo(rate_hz // 2 + 7)
    soundfile.write(tmp_path / name, sound, rate_hz, subtype=subtype)
    samples = played(opened(tmp_path / name, channel=2))
    assert np.allclose(samples[: len(sound)], sound[:, 1], atol=tolerance)
    assert not samples[len(sound) :].any(), "the last block is filled up with silence"
    assert len(samples) - len(sound) < rate_hz / 100 + 1


def test_without_a_channel_all_channels_are_mixed(tmp_path: Path) -> None:
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


def test_nothing_is_played_before_the_start_time(tmp_path: Path) -> None:
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


def test_a_loop_repeats_without_a_gap(tmp_path: Path) -> None:
    sound = stereo(1234)[:, 0]
    soundfile.write(tmp_path / "a.wav", sound, 16000, subtype="FLOAT")
    samples = played(opened(tmp_path / "a.wav", is_loop=True), until_s=0.5)
    assert len(samples) == 8000
    assert np.allclose(samples, np.resize(sound, 8000), atol=1e-7)


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
def test_a_file_without_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    assert "damaged or no audio file" in refusal(path)


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    assert "no readable audio" in refusal(tmp_path / "a.wav")


def test_a_channel_out_of_range_is_refused_with_the_number_of_channels(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", stereo(1600), 16000)
    message = refusal(tmp_path / "a.wav", channel=3)
    assert "channel 3 does not exist, the file has 2" in message


def test_a_rate_out_of_range_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(400), 4000)
    assert "4000 Hz is not within 8000..384000 Hz" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_damaged_file_is_played_up_to_the_damage(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    sound = 0.3 * np.random.default_rng(0).normal(size=64000).clip(-1, 1)
    soundfile.write(path, sound, 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = opened(path)
    samples = played(source)
    assert source.state is SourceState.ENDED
    assert 0 < len(samples) <= 64000


def test_the_position_of_damage_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 64000), 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    source = opened(path)
    samples = played(source)
    (record,) = caplog.records
    reported_s = float(record.getMessage().partition("truncated at ")[2].partition(" s")[0])
    assert reported_s == pytest.approx(len(samples) / 16000, abs=0.02)


def played_inputs(source: Source, seconds: int) -> np.ndarray:
    source.start()
    blocks = [source.poll(k / 4) for k in range(1, 4 * seconds + 1)]
    return np.concatenate([block.samples for due in blocks for block in due])


def test_the_same_seed_repeats_the_same_sound() -> None:
    first = played_inputs(VowelSource(now=lambda: 0.0, seed=3), 8)
    assert len(first) == 8 * 16000
    assert np.array_equal(first, played_inputs(VowelSource(now=lambda: 0.0, seed=3), 8))
    assert not np.array_equal(first, played_inputs(VowelSource(now=lambda: 0.0, seed=4), 8))
    length = round(len(PATTERN) * SOUND_S * 16000)
    assert np.array_equal(first[length:], first[: len(first) - length])


def test_vowels_are_loud_a_space_is_silent_and_nothing_clips() -> None:
    sound = played_inputs(VowelSource(now=lambda: 0.0), 5)
    piece = round(SOUND_S * 16000)
    pieces = np.abs(sound[: piece * len(PATTERN)]).reshape(-1, piece)
    peaks = dict(zip(PATTERN, pieces.max(axis=1), strict=True))
    assert peaks[" "] < 0.001
    assert 0.05 < peaks["m"] < 0.1
    assert all(0.3 < peaks[vowel] < 0.4 for vowel in "aiuo")


def test_it_is_silent_before_the_start_and_after_the_end() -> None:
    source = VowelSource(now=lambda: 0.0)
    assert source.poll(1.0) == []
    assert source.next_due_s is None
    source.start()
    source.close()
    assert source.poll(2.0) == []
    assert source.state is SourceState.ENDED


def opened_inputs(text: str) -> OpenedSource:
    return open_source(AudioConfig(input=text), now=lambda: 0.0, wake=threading.Event())


def test_test_is_the_test_sound() -> None:
    source, notice = opened_inputs("test")
    assert isinstance(source, VowelSource)
    assert notice is None


def test_a_path_is_a_file_whatever_its_ending(tmp_path: Path) -> None:
    path = tmp_path / "voice"
    soundfile.write(path, np.zeros(1600), 16000, format="WAV")
    source, notice = opened_inputs(str(path))
    assert isinstance(source, FileSource)
    assert notice is None
    source.close()


def test_a_name_with_an_audio_suffix_is_a_file_even_if_missing() -> None:
    with pytest.raises(UserError, match=r"none\.flac: cannot be read: No such file"):
        opened_inputs("none.flac")


def run(code: str, environment: dict[str, str]) -> str:
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@pytest.fixture
def without_portaudio(tmp_path: Path) -> dict[str, str]:
    """An environment in which `import sounddevice` fails as it does without the library."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    return {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


OPEN = """
import json, sys, threading
from cstalk_bridge.audio.inputs import open_source
from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.models.errors import UserError
try:
    source, notice = open_source(
        AudioConfig(input=INPUT),
        now=lambda: 0.0, wake=threading.Event())
except UserError as error:
    print(json.dumps(["refused", str(error)]))
else:
    source.start()
    blocks = sum(len(source.poll(k / 4)) for k in range(1, 81))
    print(json.dumps([source.name, notice, blocks, source.state.value]))
    source.close()
"""


def test_without_portaudio_the_bundled_recording_plays_in_a_loop(
    without_portaudio: dict[str, str],
) -> None:
    printed = json.loads(run(OPEN.replace("INPUT", "'mic'"), without_portaudio))
    name, notice, blocks, state = printed
    assert name == SPEECH_PATH.name
    assert "bundled recording" in notice
    assert "libportaudio2" in notice or not sys.platform.startswith("linux")
    assert "\n" not in notice
    assert (blocks, state) == (2000, "running"), "20 s of a recording of 8.5 s"


def test_without_portaudio_a_named_device_is_refused(without_portaudio: dict[str, str]) -> None:
    outcome, message = json.loads(run(OPEN.replace("INPUT", "'usb'"), without_portaudio))
    assert outcome == "refused"
    assert "PortAudio library not found" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("wanted", "channel", "is_refused"),
    [("mic", "None", False), ("mic_a", "1", False), ("mic", "200", True)],
)
def test_an_available_microphone_is_opened_and_a_wrong_channel_is_reported(
    fake_microphones: FakeMicrophones, wanted: str, channel: str, is_refused: bool
) -> None:
    code = OPEN.replace("INPUT", f"{wanted!r}, channel={channel}")
    printed = json.loads(run(code, {**fake_microphones.environment, "PYTHONPATH": str(ROOT)}))
    if is_refused:
        assert printed[0] == "refused"
        assert "channel 200 does not exist" in printed[1]
    else:
        assert printed[1] is None, "no notice: it is the microphone"
        assert printed[0] != SPEECH_PATH.name


def test_a_server_that_cannot_be_reached_leaves_stderr_clean(tmp_path: Path) -> None:
    """There is no working microphone, and ALSA's messages about that are hidden."""
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PULSE_SERVER": f"unix:{tmp_path}/none",
        "PYTHONPATH": str(ROOT),
    }
    (tmp_path / ".asoundrc").write_text("pcm.!default { type pulse }\n")
    code = "from cstalk_bridge.audio.devices import list_devices\n"
    code += "print(len(list_devices(is_renewed=True)))"
    assert int(run(code, environment)) >= 0


def test_listing_devices_imports_no_heavy_package() -> None:
    code = (
        "import sys, cstalk_bridge.audio.devices, cstalk_bridge.audio.source\n"
        "print([m for m in ('torch', 'rich', 'sounddevice', 'soundfile') if m in sys.modules])\n"
    )
    assert run(code, {**os.environ, "PYTHONPATH": str(ROOT)}).strip() == "[]"


def test_the_bundled_recording_is_speech_with_pauses_and_small() -> None:
    assert SPEECH_PATH.stat().st_size < 100_000
    sound, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    assert 6 <= len(sound) / rate_hz <= 9
    levels = np.array([rms_db(piece) for piece in np.array_split(sound, 100)])
    assert (levels < -60).sum() > 10
    assert (levels > -30).sum() > 50
    assert np.abs(sound).max() < 1


@pytest.mark.parametrize("rise_s", [0.0, 40e-6])
def test_of_a_voice_and_a_timecode_channel_the_voice_is_used_and_timecode_reads_the_mix(
    tmp_path: Path, rise_s: float
) -> None:
    rate = FRAME_RATES["25"]
    samples, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    code = 0.4 * sound(labels(rate, "01:00:00:00", 50), rate, rate_hz=rate_hz)
    width = max(1, round(rise_s * rate_hz))
    code = np.convolve(code, np.ones(width) / width, "same")[: len(samples)]
    voice = samples[: len(code)]
    path = tmp_path / "both.wav"
    soundfile.write(path, np.stack([code, voice], axis=1), rate_hz, subtype="FLOAT")
    spec = AudioConfig(input=str(path))
    for is_voice, expected in ((True, voice), (False, (code + voice) / 2)):
        source, notice = open_source(
            spec, now=lambda: 0.0, wake=threading.Event(), is_voice=is_voice
        )
        source.start()
        samples = np.concatenate([block.samples for block in source.poll(0.5)])
        source.close()
        assert np.allclose(samples, expected[: len(samples)], atol=1e-6)
        assert ("channel 2 alone is used" in (notice or "")) == is_voice

"""What an input means, and what happens where nothing can be heard."""

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

from cstalk_bridge.audio.config import AudioConfig
from cstalk_bridge.audio.file import FileSource
from cstalk_bridge.audio.inputs import (
    PATTERN,
    SOUND_S,
    SPEECH_PATH,
    OpenedSource,
    VowelSource,
    open_source,
)
from cstalk_bridge.audio.levels import rms_db
from cstalk_bridge.audio.source import Source, SourceState
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.audio.conftest import ROOT
from tests.timecode.ltc_sound import labels, sound

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.bench.microphone import FakeMicrophones


def played(source: Source, seconds: int) -> np.ndarray:
    source.start()
    blocks = [source.poll(k / 4) for k in range(1, 4 * seconds + 1)]
    return np.concatenate([block.samples for due in blocks for block in due])


def test_the_same_seed_makes_the_same_sound_again_and_again() -> None:
    first = played(VowelSource(now=lambda: 0.0, seed=3), 8)
    assert len(first) == 8 * 16000
    assert np.array_equal(first, played(VowelSource(now=lambda: 0.0, seed=3), 8))
    assert not np.array_equal(first, played(VowelSource(now=lambda: 0.0, seed=4), 8))
    length = round(len(PATTERN) * SOUND_S * 16000)
    assert np.array_equal(first[length:], first[: len(first) - length])


def test_vowels_are_loud_a_space_is_silent_and_nothing_clips() -> None:
    sound = played(VowelSource(now=lambda: 0.0), 5)
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


def opened(text: str) -> OpenedSource:
    return open_source(AudioConfig(input=text), now=lambda: 0.0, wake=threading.Event())


def test_test_is_the_test_sound() -> None:
    source, notice = opened("test")
    assert isinstance(source, VowelSource)
    assert notice is None


def test_a_path_is_a_file_whatever_its_ending(tmp_path: Path) -> None:
    path = tmp_path / "voice"
    soundfile.write(path, np.zeros(1600), 16000, format="WAV")
    source, notice = opened(str(path))
    assert isinstance(source, FileSource)
    assert notice is None
    source.close()


def test_an_audio_ending_means_a_file_even_if_there_is_none() -> None:
    with pytest.raises(UserError, match=r"none\.flac: cannot be read: No such file"):
        opened("none.flac")


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
from cstalk_bridge.audio.config import AudioConfig
from cstalk_bridge.models.errors import UserError
try:
    source, notice = open_source(
        AudioConfig(input=INPUT),
        now=lambda: 0.0, wake=threading.Event())
except UserError as error:
    print(json.dumps(["refused", str(error)]))
else:
    source.start()
    heard = sum(len(source.poll(k / 4)) for k in range(1, 81))
    print(json.dumps([source.name, notice, heard, source.state.value]))
    source.close()
"""


def test_without_portaudio_the_bundled_recording_is_heard_in_a_loop(
    without_portaudio: dict[str, str],
) -> None:
    told = json.loads(run(OPEN.replace("INPUT", "'mic'"), without_portaudio))
    name, notice, blocks, state = told
    assert name == SPEECH_PATH.name
    assert "bundled recording" in notice
    assert "libportaudio2" in notice or not sys.platform.startswith("linux")
    assert "\n" not in notice
    assert (blocks, state) == (2000, "running"), "20 s of a recording of 8.5 s"


def test_without_portaudio_a_named_device_is_refused(without_portaudio: dict[str, str]) -> None:
    word, message = json.loads(run(OPEN.replace("INPUT", "'usb'"), without_portaudio))
    assert word == "refused"
    assert "PortAudio library not found" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("wanted", "channel", "is_refused"),
    [("mic", "None", False), ("mic_a", "1", False), ("mic", "200", True)],
)
def test_a_microphone_that_is_there_is_used_and_a_wrong_channel_is_not_passed_over(
    fake_microphones: FakeMicrophones, wanted: str, channel: str, is_refused: bool
) -> None:
    code = OPEN.replace("INPUT", f"{wanted!r}, channel={channel}")
    told = json.loads(run(code, {**fake_microphones.environment, "PYTHONPATH": str(ROOT)}))
    if is_refused:
        assert told[0] == "refused"
        assert "channel 200 does not exist" in told[1]
    else:
        assert told[1] is None, "no notice: it is the microphone"
        assert told[0] != SPEECH_PATH.name


def test_a_server_that_cannot_be_reached_leaves_stderr_clean(tmp_path: Path) -> None:
    """No microphone that works, and ALSA's comments on that are not shown."""
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


def test_listing_devices_loads_nothing_heavy() -> None:
    code = (
        "import sys, cstalk_bridge.audio.devices, cstalk_bridge.audio.config\n"
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
def test_of_real_timecode_and_a_voice_the_voice_is_heard_and_for_timecode_their_mix(
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
        heard = np.concatenate([block.samples for block in source.poll(0.5)])
        source.close()
        assert np.allclose(heard, expected[: len(heard)], atol=1e-6)
        assert ("channel 2 alone is used" in (notice or "")) == is_voice

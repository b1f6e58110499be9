"""Doctor's checks of audio input, with synthetic levels and with fake microphones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.source import AudioConfig, GateConfig
from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.config.schema import SubjectConfig
from cstalk_bridge.diagnostics.audio_check import (
    CLIPPED_SAMPLES,
    InputMeasurement,
    examine_sound,
    judge_input,
)
from cstalk_bridge.diagnostics.report import Finding, FindingState
from cstalk_bridge.models.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[2]
PROBE = """
import json, sys
from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.config.schema import SubjectConfig
from cstalk_bridge.diagnostics.audio_check import examine_sound
subject = SubjectConfig(name="Ada", audio=AudioConfig(input=sys.argv[1]))
print(json.dumps([(f.state.value, f.what, f.remedy) for f in examine_sound([subject])]))
"""


def judged(
    spec: AudioConfig | None = None, platform: str = "linux", **levels: object
) -> list[Finding]:
    given = {"loudest_db": -25.0, "peak_db": -12.0, **levels}
    base = InputMeasurement("USB", 48000, is_device=True, seconds=2.0)
    changed: dict[str, Any] = {
        name: given.get(name, getattr(base, name)) for name in InputMeasurement.__slots__
    }
    return list(
        judge_input("Ada", spec or AudioConfig(input="USB"), InputMeasurement(**changed), platform)
    )


def test_a_voice_at_a_good_level_passes() -> None:
    (finding,) = judged()
    assert finding.state is FindingState.OK
    assert finding.what == "USB at 48000 Hz: loudest -25 dB, peak -12 dB"


@pytest.mark.parametrize(
    ("platform", "text"),
    [("linux", "unmute"), ("win32", "let desktop apps"), ("darwin", "allow the terminal")],
)
def test_digital_silence_is_a_fault_with_the_permissions_of_the_system(
    platform: str, text: str
) -> None:
    (finding,) = judged(platform=platform, loudest_db=-100.0, peak_db=-100.0)
    assert finding.state is FindingState.FAULT
    assert text in finding.remedy


def test_a_quiet_voice_gets_a_gain_recommendation() -> None:
    (finding,) = judged(loudest_db=-52.0)
    assert finding.state is FindingState.WARNING
    assert finding.remedy.endswith("gain_db to 22")
    (lifted,) = judged(AudioConfig(gain_db=22.0), loudest_db=-52.0)
    assert lifted.state is FindingState.OK
    assert "loudest -30 dB, peak -12 dB before a gain of +22 dB" in lifted.what
    assert "gain_db" not in judged(loudest_db=-80.0)[0].remedy


def test_a_few_samples_at_full_scale_are_not_clipping_but_many_are() -> None:
    assert judged(clipped=CLIPPED_SAMPLES - 1)[0].state is FindingState.OK
    (finding,) = judged(clipped=CLIPPED_SAMPLES)
    assert finding.state is FindingState.WARNING
    assert "clips" in finding.what


def test_a_device_that_delivers_nothing_is_a_fault() -> None:
    assert judged(seconds=0.0)[0].state is FindingState.FAULT
    (finding,) = judged(fault="the device is no longer available")
    assert finding.what == "USB delivers nothing (the device is no longer available)"


def test_a_closed_gate_and_lost_blocks_are_reported() -> None:
    gate = GateConfig(enabled=True, open_db=-20.0, close_db=-26.0)
    level, shut, lost = judged(AudioConfig(gate=gate), loudest_db=-30.0, dropped=3)
    assert level.state is FindingState.OK
    assert "opens at -20 dB" in shut.what
    assert lost.what == "3 blocks of 10 ms were lost"


def test_silence_is_not_ok_and_a_soft_recording_is() -> None:
    (finding,) = judged(is_device=False, loudest_db=-100.0, peak_db=-100.0)
    assert finding.state is FindingState.WARNING
    assert finding.what == "USB is silent for its first 2.0 s"
    (soft,) = judged(is_device=False, loudest_db=-55.0, peak_db=-50.0)
    assert soft.state is FindingState.OK


@pytest.mark.parametrize("offset", [0.0, 0.25])
def test_a_silent_file_is_reported_despite_a_dc_offset(tmp_path: Path, offset: float) -> None:
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.full(16_000, offset), 16_000)
    subject = SubjectConfig(name="Ada", audio=AudioConfig(input=str(path)))
    (finding,) = examine_sound([subject], seconds=0.3)
    assert finding.state is FindingState.WARNING
    assert "is silent" in finding.what


def test_cancelling_channels_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "inverted.wav"
    voice = 0.3 * np.random.default_rng(0).normal(size=16_000).clip(-2, 2)
    soundfile.write(path, np.stack([voice, -voice], 1), 16_000)
    subject = SubjectConfig(name="Ada", audio=AudioConfig(input=str(path)))
    finding, level = examine_sound([subject], seconds=0.3)
    assert finding.state is FindingState.WARNING
    assert "cancel each other" in finding.what
    assert level.state is FindingState.OK


def test_each_subject_is_checked_and_a_failure_does_not_affect_the_others() -> None:
    subjects = [
        SubjectConfig(name="Ada", audio=AudioConfig(input="test")),
        SubjectConfig(name="Ben", audio=AudioConfig(input="none.wav")),
    ]
    found = {finding.where: finding for finding in examine_sound(subjects, seconds=0.5)}
    assert found["Ada"].state is FindingState.OK
    assert found["Ben"].state is FindingState.FAULT
    assert "none.wav" in found["Ben"].what


@pytest.fixture
def microphones() -> Iterator[FakeMicrophones]:
    try:
        made = FakeMicrophones()
    except UserError as error:
        pytest.skip(str(error))
    with made:
        yield made


def finding_of(microphones: FakeMicrophones, name: str) -> list[str]:
    """Return state, text and remedy of the finding in a process that has these microphones."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, name],
        env={**microphones.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    (found,) = json.loads(done.stdout)
    return list(found)


def test_real_devices_are_reported_as_silent_loud_quiet_or_missing(
    microphones: FakeMicrophones,
) -> None:
    noise = np.random.default_rng(0).standard_normal(microphones.rate_hz)
    state, what, _ = finding_of(microphones, "mic_a")
    assert (state, "digital silence" in what) == ("fault", True)
    for amplitude, expected in ((3000, "ok"), (30, "warning")):
        microphones.play("mic_a", np.rint(amplitude * noise).astype(np.int16), is_loop=True)
        assert finding_of(microphones, "mic_a")[0] == expected
    state, what, remedy = finding_of(microphones, "nowhere")
    assert (state, "nowhere" in what, "mic_a" in remedy) == ("fault", True, True)


@pytest.fixture
def stereo_microphones() -> Iterator[FakeMicrophones]:
    try:
        made = FakeMicrophones(channels=2)
    except UserError as error:
        pytest.skip(str(error))
    with made:
        yield made


@pytest.mark.parametrize(("share", "text"), [(-1, "cancel each other"), (0, "only channel 1 of 2")])
def test_a_device_whose_mix_cancels_the_voice_is_reported(
    stereo_microphones: FakeMicrophones, share: int, text: str
) -> None:
    noise = np.rint(3000 * np.random.default_rng(0).standard_normal(stereo_microphones.rate_hz))
    both = np.stack([noise, share * noise], axis=1).astype(np.int16)
    stereo_microphones.play("mic_a", both, is_loop=True)
    state, what, remedy = finding_of(stereo_microphones, "mic_a")
    assert state == "warning"
    assert text in what
    assert "`channel`" in remedy


def test_a_device_that_stalls_is_a_fault(microphones: FakeMicrophones) -> None:
    microphones.stall("mic_a")
    state, what, _ = finding_of(microphones, "mic_a")
    assert (state, "delivers nothing" in what) == ("fault", True)


PASSTHROUGH_PROBE = """
import json, sys
from cstalk_bridge.audio.passthrough import PassthroughConfig
from cstalk_bridge.diagnostics.audio_check import examine_passthrough
config = PassthroughConfig(device=sys.argv[1])
print(json.dumps([(f.state.value, f.what) for f in examine_passthrough("Ada", config)]))
"""


@pytest.mark.parametrize(("wanted", "state"), [("cable", "ok"), ("no such cable", "fault")])
def test_the_output_device_of_the_passthrough_is_looked_for(wanted: str, state: str) -> None:
    try:
        microphones = FakeMicrophones(cables=("cable",))
    except UserError as error:
        pytest.skip(str(error))
    with microphones:
        done = subprocess.run(
            [sys.executable, "-c", PASSTHROUGH_PROBE, wanted],
            env=microphones.environment,
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
    ((found, what),) = json.loads(done.stdout)
    assert found == state
    assert "cable, ALSA" in what or "no such output device" in what

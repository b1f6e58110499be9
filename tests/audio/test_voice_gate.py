"""The gate that only voices open, with its real detector."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import soxr

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.preprocessing import Preprocessor
from cstalk_bridge.audio.source import (
    HOP_RATE_HZ,
    HOP_SAMPLES,
    AudioConfig,
    Block,
    GateConfig,
    Hop,
)
from cstalk_bridge.audio.voice_gate import HELD_BACK_HOPS
from cstalk_bridge.bench.gate import at_level, sounds_without_speech
from cstalk_bridge.config.load import ConfigOverrides, subject_of
from cstalk_bridge.models.errors import UserError

VOICE = GateConfig(enabled=True, voice=True)


def speech() -> np.ndarray:
    """Return two seconds of the bundled recording at 16 kHz, after a second of a quiet room."""
    sound, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    spoken = soxr.resample(sound[: 2 * rate_hz], rate_hz, HOP_RATE_HZ)
    room = at_level(np.random.default_rng(0).standard_normal(4 * HOP_RATE_HZ), -68.0)
    room[HOP_RATE_HZ : HOP_RATE_HZ + len(spoken)] += spoken
    return np.asarray(room, dtype=np.float32)


def hops_of(sound: np.ndarray, gate: GateConfig) -> list[Hop]:
    """Return all hops of a sound in the order in which they come, repeated ones included."""
    preprocessor = Preprocessor(HOP_RATE_HZ, gate=gate)
    hops: list[Hop] = []
    for begin in range(0, len(sound) - HOP_SAMPLES + 1, HOP_SAMPLES):
        preprocessor.push(Block(np.asarray(sound[begin : begin + HOP_SAMPLES], "f"), 0.0, 0.0))
        hops += preprocessor.take_hops()
    return hops


@pytest.mark.parametrize("name", ["keys", "claps", "beeps", "melody", "drums", "breath", "noise"])
def test_what_is_no_speech_opens_nothing_and_is_silence(name: str) -> None:
    sound = at_level(sounds_without_speech(seed=1)[name][: 6 * HOP_RATE_HZ], -25.0)
    hops = hops_of(sound, VOICE)
    assert not any(hop.gate_open or hop.samples.any() for hop in hops)
    assert any(hop.gate_open for hop in hops_of(sound, GateConfig(enabled=True)))


def test_a_voice_opens_it_backwards_so_that_its_beginning_is_given_again() -> None:
    sound = speech()
    hops = hops_of(sound, VOICE)
    opened = next(n for n, hop in enumerate(hops) if hop.gate_open)
    again = [hop for hop in hops[opened:] if hop.is_repeated][:HELD_BACK_HOPS]
    first = again[0].index
    assert [hop.index for hop in again] == list(range(first, first + HELD_BACK_HOPS))
    # The first of them is faded in; the others are what came, seen through the DC block.
    free = {hop.index: hop.samples for hop in hops_of(sound, GateConfig())}
    newest = {hop.index: hop.samples for hop in hops}
    for index in range(first + 1, first + 40):
        assert np.array_equal(newest[index], free[index])
    assert not any(hop.samples.any() for hop in hops[: opened - 1])


def test_it_closes_after_the_voice_and_fades_out() -> None:
    hops = hops_of(speech(), VOICE)
    assert not hops[-1].gate_open
    assert not hops[-1].samples.any()
    closing = next(n for n in range(1, len(hops)) if hops[n - 1].gate_open > hops[n].gate_open)
    assert hops[closing].samples.any()
    assert hops[closing].samples[-1] == 0.0


def test_a_voice_below_the_level_at_which_it_opens_stays_outside() -> None:
    assert not any(hop.gate_open for hop in hops_of(at_level(speech(), -62.0), VOICE))


def test_once_the_near_voice_has_spoken_a_distant_one_opens_nothing() -> None:
    near, distant = at_level(speech(), -25.0), at_level(speech(), -47.0)
    alone = hops_of(distant, VOICE)
    assert any(hop.gate_open for hop in alone)
    after = hops_of(np.concatenate([near, distant]), VOICE.model_copy(update={"near_db": 15.0}))
    of_near, of_distant = after[: len(after) // 2], after[-len(alone) + 30 :]
    assert any(hop.gate_open for hop in of_near)
    assert not any(hop.gate_open for hop in of_distant)


def test_it_can_be_switched_while_it_runs() -> None:
    preprocessor = Preprocessor(HOP_RATE_HZ)
    keys = at_level(sounds_without_speech(seed=1)["keys"][:HOP_RATE_HZ], -25.0)
    is_open = []
    for gate in (GateConfig(), VOICE, GateConfig()):
        preprocessor.gate = gate
        preprocessor.push(Block(np.asarray(keys, dtype=np.float32), 0.0, 0.0))
        is_open.append(preprocessor.take_hops()[-1].gate_open)
    assert is_open == [True, False, True]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("off", (False, False)), ("level", (True, False)), ("voice", (True, True))],
)
def test_a_mode_in_one_word_is_a_gate(mode: str, expected: tuple[bool, bool]) -> None:
    by_config = AudioConfig.model_validate({"gate": mode}).gate
    by_flag = subject_of(ConfigOverrides(gate=mode)).audio.gate
    assert (by_config.enabled, by_config.voice) == (by_flag.enabled, by_flag.voice) == expected


def test_another_mode_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="write off, level, voice"):
        subject_of(ConfigOverrides(gate="loud"))


def test_neither_torch_nor_the_package_of_the_detector_is_imported() -> None:
    code = (
        "import sys\nfrom cstalk_bridge.audio.voice_gate import VoiceGate\nVoiceGate()\n"
        "assert not {'torch', 'silero_vad'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

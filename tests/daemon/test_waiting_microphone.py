"""Microphones that are missing at the start, while the whole command runs."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import yaml

from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.bench.packets import vowel
from cstalk_bridge.control.osc_commands import ERROR, MAX_QUESTIONS, QUESTIONS_S
from cstalk_bridge.outputs.osc_messages import decode_packet, encode_message
from tests.daemon.running import PacketCollector
from tests.outputs.receiving import receiver
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from cstalk_bridge.outputs.livelink_face import Packet
    from tests.outputs.receiving import Receiver

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("pulseaudio") is None,
    reason="fake microphones need PulseAudio on Linux",
)

TIMEOUT_S = 60.0

QUESTION_INTERVAL_S = 1.5 * QUESTIONS_S / MAX_QUESTIONS
"""Time between two questions; more often, the bridge refuses to answer."""


class Run:
    """The command `run` with plain status lines, `text`, and remote control at `osc`."""

    def __init__(self, folder: Path, config: dict[str, Any], environment: dict[str, str]) -> None:
        self._output = folder / "output.txt"
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [sys.executable, "-m", "cstalk_bridge", "run", "--no-ui"]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stderr=output)

    @property
    def text(self) -> str:
        """What it has printed."""
        return self._output.read_text(encoding="utf-8")

    def wait_for(self, part: str) -> None:
        """Wait until it has printed this."""
        wait_until(lambda: part in self.text, TIMEOUT_S, reason=lambda: self.text)


@contextmanager
def running(folder: Path, config: dict[str, Any], environment: dict[str, str]) -> Iterator[Run]:
    run = Run(folder, config, environment)
    try:
        yield run
    finally:
        run.process.send_signal(signal.SIGTERM)
        try:
            run.process.wait(TIMEOUT_S)
        finally:
            run.process.kill()


def spoken(microphones: FakeMicrophones) -> Any:
    sound = np.zeros(microphones.rate_hz // 2)
    voice = vowel(microphones.rate_hz)
    sound[: len(voice)] = voice
    return np.rint(32767 * sound).astype(np.int16)


def jaws(packets: list[Packet], subject: str) -> Any:
    values = [p.values for p in packets if p.subject == subject and p.values is not None]
    return np.stack(values).max(axis=1)


def test_subjects_whose_microphones_come_later_join_and_the_others_never_stop(
    tmp_path: Path, weights: Path
) -> None:
    """Two of three are missing, under names as users type them; each joins when it is there."""
    names = {"Ann": "mic_a", "Bea": "MIC_B, alsa", "Cid": "ic_c"}
    absent = ("mic_b", "mic_c")
    with FakeMicrophones(("mic_a", *absent), absent=absent) as microphones, receiver() as source:
        collector = PacketCollector(source)
        for name in microphones.names:
            microphones.play(name, spoken(microphones), is_loop=True)
        link = f"livelink-face://127.0.0.1:{source.target.port}"
        config = {
            "weights": str(weights),
            "subjects": [
                {"name": name, "audio": {"input": device}, "links": [link]}
                for name, device in names.items()
            ],
        }
        with running(tmp_path, config, microphones.environment) as run:
            run.wait_for("Bea: WAITING: for MIC_B, alsa")
            run.wait_for("Cid: waiting for ic_c, trying every second")
            wait_until(lambda: len(collector.datagrams) > 90, TIMEOUT_S)
            microphones.plug("mic_c")
            run.wait_for("Cid: mic_c is connected")
            microphones.plug("mic_b")
            run.wait_for("Bea: mic_b is connected")
            count = len(collector.datagrams)
            wait_until(lambda: len(collector.datagrams) > count + 200, TIMEOUT_S)
        packets = collector.packets()
    frames = [[packet.frame for packet in packets if packet.subject == name] for name in names]
    assert frames[0] == frames[1] == frames[2]
    assert np.diff(frames[0]).min() == 1
    for name in names:
        assert jaws(packets, name)[-60:].max() > 0.0


def test_a_device_without_the_channel_is_waited_for_and_said_why(
    tmp_path: Path, weights: Path
) -> None:
    with FakeMicrophones(("mic_a",)) as microphones:
        config = {
            "weights": str(weights),
            "subjects": [{"name": "Ann", "audio": {"input": "mic_a", "channel": 200}}],
        }
        with running(tmp_path, config, microphones.environment) as run:
            run.wait_for("Ann: WAITING: for mic_a (channel 200 does not exist")


def test_a_take_begun_without_the_microphone_has_its_sound_from_then_on(
    tmp_path: Path, weights: Path
) -> None:
    with FakeMicrophones(("mic_a",), absent=("mic_a",)) as microphones, receiver() as replies:
        microphones.play("mic_a", spoken(microphones), is_loop=True)
        with receiver() as free:
            port = free.target.port
        config = {
            "weights": str(weights),
            "control": {"osc": f"127.0.0.1:{port}"},
            "subjects": [
                {"name": "Ann", "audio": {"input": "mic_a"}, "links": ["osc://127.0.0.1:9"]}
            ],
        }
        with running(tmp_path, config, microphones.environment) as run:
            run.wait_for("remote control over OSC")
            run.wait_for("Ann: WAITING")
            assert asked_sound(replies, port)[0] == "waiting"
            ask(replies, port, "/cstalk/record", "start")
            run.wait_for("recording take")
            microphones.plug("mic_a")
            run.wait_for("mic_a is connected")
            wait_until(
                lambda: is_loud(replies, port),
                TIMEOUT_S,
                reason=lambda: run.text,
                interval_s=QUESTION_INTERVAL_S,
            )
            time.sleep(1.5)
            ask(replies, port, "/cstalk/record", "stop")
            run.wait_for("recorded take")
    (folder,) = (tmp_path / "takes").iterdir()
    document = json.loads((folder / "take.json").read_text(encoding="utf-8"))
    assert "problem" not in document
    (path,) = folder.glob("*.wav")
    sound, rate_hz = soundfile.read(path)
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    assert rate_hz == 16_000
    # Silence while there was no device; its sound, with the pauses of it, to the end.
    assert loud[0] > 0.1 * rate_hz
    assert len(sound) - loud[-1] < rate_hz
    frames = document["subjects"][0]["frames"]
    assert abs(len(sound) / rate_hz - frames / 60) < 0.05


def test_the_recording_gives_way_to_a_microphone_that_comes_later(
    tmp_path: Path, weights: Path
) -> None:
    with FakeMicrophones(("default_mic",), absent=("default_mic",)) as microphones:
        microphones.play("default_mic", spoken(microphones), is_loop=True)
        config = {
            "weights": str(weights),
            "subjects": [
                {"name": "Ann", "audio": {"input": "mic"}, "links": ["osc://127.0.0.1:9"]}
            ],
        }
        with running(tmp_path, config, microphones.environment) as run:
            run.wait_for("the bundled recording is played instead of a microphone")
            run.wait_for("Ann NO RECEIVER")
            microphones.plug("default_mic")
            run.wait_for("is connected")


def ask(replies: Receiver, port: int, address: str, *arguments: str) -> None:
    """Send a command whose replies come to this receiver."""
    replies.send(encode_message(address, *arguments), port)


def is_loud(replies: Receiver, port: int) -> bool:
    state, level_db = asked_sound(replies, port)
    return state == "running" and level_db > -40.0


def asked_sound(replies: Receiver, port: int) -> tuple[str, float]:
    """Return the state and the level of the sound that remote control reports."""
    replies.all_waiting()
    ask(replies, port, "/cstalk/Ann/state")
    found: list[tuple[str, float]] = []

    def has_come() -> bool:
        for message in chain.from_iterable(map(decode_packet, replies.all_waiting())):
            assert message.address != ERROR, message.arguments
            if message.address == "/cstalk/Ann/sound":
                state, level_db = message.arguments[:2]
                found.append((str(state), float(str(level_db))))
        return bool(found)

    wait_until(has_come, TIMEOUT_S)
    return found[-1]


def test_a_missing_device_of_the_timecode_is_waited_for_and_told(
    tmp_path: Path, weights: Path
) -> None:
    with FakeMicrophones(("mic_a",)) as microphones:
        config = {
            "weights": str(weights),
            "timecode": {"source": "ltc", "mode": "chase", "audio": {"input": "timecode box"}},
            "subjects": [{"name": "Ann", "audio": {"input": "test"}}],
        }
        with running(tmp_path, config, microphones.environment) as run:
            run.wait_for("timecode: waiting for timecode box, trying every second")
            run.wait_for("LTC lost")

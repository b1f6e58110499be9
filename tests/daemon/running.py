"""`daemon.run` in this process, and the packets that it sends."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import soundfile

from cstalk_bridge import daemon
from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.face.procedural.animation import NO_ANIMATION_LEVELS
from cstalk_bridge.models.emotions import MOUTH_GUARD
from cstalk_bridge.outputs.livelink_face import LiveLinkFaceConfig, Packet, decode

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.monitor.metrics import Metrics
    from cstalk_bridge.outputs.udp import Target
    from tests.outputs.receiving import Receiver

EMOTION = {"happy": 0.7}


def speech(path: Path) -> Path:
    """Write three seconds of the bundled recording to `path`."""
    spoken, rate_hz = soundfile.read(SPEECH_PATH)
    soundfile.write(path, spoken[: 3 * rate_hz], rate_hz, subtype="FLOAT")
    return path


@dataclass
class PacketCollector:
    """Packets read in a thread of their own, so that no buffer overflows."""

    source: Receiver
    datagrams: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def packets(self) -> list[Packet]:
        """Read what is still waiting, and return all packets."""
        self.over.set()
        self._thread.join()
        return [decode(datagram) for datagram in self.datagrams]

    def _read(self) -> None:
        while not self.over.wait(0.05):
            self.datagrams += self.source.all_waiting()
        self.datagrams += self.source.all_waiting()


def config(
    weights: Path, audio: str, target: Target, mouth_guard: float = MOUTH_GUARD, **more: object
) -> Config:
    subject = SubjectConfig(
        audio=AudioConfig(input=audio),
        emotion=EMOTION,
        mouth_guard=mouth_guard,
        alive=NO_ANIMATION_LEVELS,
        links=(LiveLinkFaceConfig(targets=(target,)),),
    )
    given = {"weights": weights, "device": "cpu", "dashboard": False, "subjects": (subject,)}
    return Config.model_validate({**given, **more})


def run(config: Config, stop: threading.Event | None = None, *, is_urgent: bool = False) -> Metrics:
    seen: list[Metrics] = []

    def watch(metrics: Metrics) -> nullcontext[None]:
        seen.append(metrics)
        return nullcontext()

    assert daemon.run(config, stop=stop, watch=watch, is_urgent=is_urgent) == 0
    return seen[0]

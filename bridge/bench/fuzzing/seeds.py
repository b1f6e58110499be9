"""The seed corpus: valid inputs of every kind, from which the others are made."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.bench.clients import request
from cstalk_bridge.control.commands import COMMANDS
from cstalk_bridge.control.phone_app import MESSAGES
from cstalk_bridge.face.emotion_trajectory import SIDECAR_COLUMNS
from cstalk_bridge.outputs.osc_messages import encode_message
from cstalk_bridge.rig.load import SHIPPED
from cstalk_bridge.settings.face import FaceSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.control.commands import Parameter


SUBJECT = "Bench"
RATES_HZ = (8_000, 16_000, 44_100)
SOUND_S = 0.1

SESSION = "0" * 36
"""Stands for the session's id, which has as many characters."""

NUMBERS = "\n".join(
    f"    {name}: {7 if field.default is None else field.default}"
    for name, field in FaceSettings.model_fields.items()
)
"""The numbers of a subject: as long as the table of settings."""

CONFIG = f"""\
fps: 59.94df
lookahead_ms: 120
buffer_ms: 12.5
timecode: {{source: system}}
recording: {{folder: takes}}
control: {{osc: ":0", allow: [10.0.0.0/24, "2001:db8::1"]}}
preview: {{host: 127.0.0.1, port: 8520}}
subjects:
  - name: {SUBJECT}
    audio: {{input: test, channel: 1, gain_db: -3, gate: {{enabled: true, open_db: -50}}}}
    emotion: "happy:0.8, surprised:0.2"
    emotions:
      - {{at_s: 0, emotion: neutral}}
      - {{at_s: 2.5, emotion: "sad:0.4", over_s: 1.5}}
{NUMBERS}
    alive: {{gaze: 1, blink: 0.5}}
    rest: {{silence: neutral, lost: {{policy: decay, hold_ms: 250, decay_ms: 300}}}}
    links:
      - livelink-face://127.0.0.1:11111
      - {{protocol: osc, targets: [127.0.0.1, "stage:9000"], prefix: /face, rigmap: metahuman}}
      - metahuman://127.0.0.1:14785?allow=10.0.0.5
"""

EMOTIONS = f"""\
{",".join(SIDECAR_COLUMNS)}
0,neutral,
2.5,"happy:0.8, surprised:0.2",1.5
4,sad,0
"""


@cache
def sounds(kind: str) -> tuple[bytes, ...]:
    """Return short sound files of a format that libsndfile writes."""
    import soundfile

    files = []
    for rate_hz in RATES_HZ:
        times_s = np.arange(round(SOUND_S * rate_hz)) / rate_hz
        tone = 0.3 * np.sin(2 * np.pi * 220 * times_s)
        for channels in (1, 2):
            file = io.BytesIO()
            samples = np.repeat(tone[:, None], channels, axis=1)
            soundfile.write(file, samples, rate_hz, format=kind.upper())
            files.append(file.getvalue())
    return tuple(files)


@cache
def rigmaps() -> tuple[bytes, ...]:
    """Return the shipped rig maps but the longest, and one that extends."""
    shipped = sorted((path.read_bytes() for path in SHIPPED.glob("*.yaml")), key=len)
    own = (
        b"extends: livelinkface61\ncurves:\n"
        b"  JawOpen: {from: {CTRL_C_jaw.ty: 0.5}, gain: 1.5, offset: 0.1, clamp: [0, 1],"
        b" response: [[0, 0], [0.5, 0.2], [1, 1]], smooth: {min_cutoff_hz: 2}}\n"
        b"  TongueOut: {gain: 0}\n"
    )
    return (own, *shipped[:2])


@cache
def takes() -> tuple[bytes, ...]:
    """Return short takes, with sound and without."""
    from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory
    from cstalk_bridge.models.board import CHANNELS
    from cstalk_bridge.takes.file import write_take
    from cstalk_bridge.takes.sound import SampledSound
    from cstalk_bridge.takes.take import Take
    from cstalk_bridge.timecode.smpte import FRAME_RATES

    made = []
    for sound in (None, SampledSound(np.zeros(1600, dtype=np.float32), 16_000)):
        file = io.BytesIO()
        take = Take(
            slate="Bench",
            number=1,
            rate=FRAME_RATES["50"],
            start=0,
            channels=tuple(channel.name for channel in CHANNELS),
            board=np.zeros((5, len(CHANNELS)), dtype=np.float32),
            head=np.zeros((5, 6), dtype=np.float32),
            sound=sound,
            emotions=EmotionTrajectory.constant({"happy": 0.5}),
            provenance={"seed": 1},
        )
        write_take(take, file)
        made.append(file.getvalue())
    return tuple(made)


@cache
def messages() -> tuple[bytes, ...]:
    """Return every message of remote control, with arguments that fit."""
    own = [
        (command.address.replace("<subject>", SUBJECT), _fitting(command.parameters))
        for command in COMMANDS.values()
    ]
    of_app = [(message.address, _fitting(message.parameters)) for message in MESSAGES.values()]
    datagrams = [encode_message(address, *arguments) for address, arguments in own + of_app]
    bundle = b"#bundle\0" + bytes(8)
    bundle += b"".join(len(each).to_bytes(4, "big") + each for each in datagrams[:5])
    return (*datagrams, bundle)


def _fitting(parameters: Sequence[Parameter]) -> list[str | int | float]:
    arguments: list[str | int | float] = []
    for parameter in parameters:
        if parameter.choices:
            arguments.append(parameter.choices[0])
        elif parameter.name in ("host", "host:port"):
            arguments.append("127.0.0.1" if parameter.name == "host" else "127.0.0.1:9")
        elif parameter.kind.value == "text":
            arguments.append("text")
        else:
            arguments.append(1 if parameter.kind.value == "whole number" else 0.5)
    return arguments


@cache
def conversations() -> tuple[bytes, ...]:
    """Return the messages of a device's clients from first to last, in the session `SESSION`."""
    begin = request("handshake", "/session/start")
    start = {"streamPort": 9, "subjects": []}
    take = {"slateName": "Bench", "takeNumber": 1}
    rest = b"".join(
        request(SESSION, path, body)
        for path, body in (
            ("/information", None), ("/state", None), ("/subscribe", None),
            ("/stream/subjects", None), ("/stream/start", start), ("/stream/stop", {}),
            ("/take/list", None), ("/take/record/start", take), ("/session/keep-alive", None),
            ("/take/record/stop", None), ("/unsubscribe", None), ("/session/stop", None),
        )
    )  # fmt: skip
    return begin, begin + rest, rest, rest


@cache
def handshakes() -> tuple[bytes, ...]:
    """Return what a browser says first, and frames that a client may send behind it."""
    head = (
        b"GET /live HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n"
    )
    mask = bytes(4)
    frames = (
        b"",
        b"\x81\x85" + mask + b"hello",
        b"\x89\x80" + mask + b"\x8a\x80" + mask,
        b"\x88\x82" + mask + b"\x03\xe8",
        b"\x82\xfe\xff\xff" + mask + bytes(500),
        b"\x01\x81" + mask + b"a\x80\x81" + mask + b"b",
    )
    return tuple(head + frame for frame in frames)

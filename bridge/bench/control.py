"""Remote control: does a flood at its port touch the ticks, and is every heartbeat answered?

The flood is sent twice, to a port where nobody reads and to that of remote control. So what the
sending itself costs this machine is in both, and the difference is what remote control does to
the ticks. Then a controller talks with the bridge in the rhythm of Switchboard.
"""

from __future__ import annotations

import math
import socket
import time
from typing import TYPE_CHECKING

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.figures import Figure, Remark, figures_of
from bridge.bench.hostile import flood
from bridge.bench.machine import resident_mb
from bridge.bench.receiver import ReceiverProcess
from bridge.links.osc import decode_packet, encode_message

if TYPE_CHECKING:
    from bridge.bench.daemon_process import Measurements
    from bridge.bench.options import Options

DATAGRAMS = 1_000_000
ADDED_P99_MS = 1.0
"""Two waits for the interpreter (`SWITCH_INTERVAL_S`)."""
GROWTH_MB = 1.0

BEAT_S = 5.0
"""How often Switchboard asks for the battery; without an answer in 11 s a phone is lost to it."""
MAX_MINUTES = 10.0
SETTLE_S = 1.0
"""Until what the system holds of a flood has been read: before that it drops new datagrams."""


def measure(options: Options) -> list[Figure | Remark]:
    """Flood, then talk for `options.minutes`, 10 at most."""
    port = _free_port()
    with (
        ReceiverProcess() as receiver,
        DaemonProcess("test", receiver.port, control=f"127.0.0.1:{port}") as running,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
    ):
        deaf.bind(("127.0.0.1", 0))
        _flood(running, ("127.0.0.1", port), DATAGRAMS // 10)
        before_mb = resident_mb(running.process_id)
        beside = _flood(running, deaf.getsockname(), DATAGRAMS)
        at_us = _flood(running, ("127.0.0.1", port), DATAGRAMS)
        after_mb = resident_mb(running.process_id)
        time.sleep(SETTLE_S)
        beats = heartbeats(port, min(options.minutes, MAX_MINUTES))
        talked = running.stop()
    return [
        *_of_flood(beside, at_us),
        Figure(
            "memory grown by the flood", _difference(after_mb, before_mb), "MB", maximum=GROWTH_MB
        ),
        *of_beats(beats),
        *figures_of("tick lateness meanwhile", talked.spreads.get("lateness")),
    ]


def heartbeats(port: int, minutes: float) -> list[float]:
    """Ask for the battery each 5 s as a set target; return how long each answer took, in s.

    An answer that does not come in time is infinitely late.
    """
    took_s = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
        controller.bind(("127.0.0.1", 0))
        controller.connect(("127.0.0.1", port))
        controller.send(encode_message("/OSCAddSendTarget", *controller.getsockname()))
        for _ in range(max(1, round(60 * minutes / BEAT_S))):
            begun_s = time.monotonic()
            controller.send(encode_message("/BatteryQuery", 1))
            took_s.append(_answer_s(controller, begun_s))
            time.sleep(max(0.0, begun_s + BEAT_S - time.monotonic()))
    return took_s


def of_beats(took_s: list[float]) -> list[Figure | Remark]:
    """Return how many heartbeats were answered, and how late the last was."""
    answered = [beat_s for beat_s in took_s if math.isfinite(beat_s)]
    return [
        Figure("heartbeats of a controller", len(took_s), ""),
        Figure("heartbeats lost", len(took_s) - len(answered), "", maximum=0),
        Figure("latest answer", 1e3 * max(answered, default=math.nan), "ms"),
    ]


def _answer_s(controller: socket.socket, begun_s: float) -> float:
    while (left_s := begun_s + BEAT_S - time.monotonic()) > 0:
        controller.settimeout(left_s)
        try:
            (message,) = decode_packet(controller.recv(2048))
        except TimeoutError:
            break
        if message.address == "/Battery":
            return time.monotonic() - begun_s
    return math.inf


def _flood(running: DaemonProcess, address: tuple[str, int], number: int) -> Measurements:
    running.measured()
    flood(address, number)
    return running.measured()


def _of_flood(beside: Measurements, at_us: Measurements) -> list[Figure | Remark]:
    elsewhere, here = (phase.spreads.get("lateness") for phase in (beside, at_us))
    added_ms = 1e3 * (here.p99_s - elsewhere.p99_s) if here and elsewhere else math.nan
    return [
        Figure("hostile datagrams", DATAGRAMS, ""),
        *figures_of("tick lateness, flood at a deaf port", elsewhere),
        *figures_of("tick lateness, flood at ours", here),
        Figure("p99 added by remote control", added_ms, "ms", maximum=ADDED_P99_MS),
        Figure("ticks left out", at_us.drops["ticks"], "ticks", maximum=0),
    ]


def _difference(after_mb: float | None, before_mb: float | None) -> float:
    return math.nan if after_mb is None or before_mb is None else after_mb - before_mb


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])

"""Metrics as a running bridge would write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS
from cstalk_bridge.monitor.metrics import LATENCY_PARTS, Metrics, SubjectMetrics
from cstalk_bridge.outputs.link import LinkStatus
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.rig.curves import Showing
from cstalk_bridge.timecode.smpte import FRAME_RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_FRAME = 60 * 3600 * 17


@dataclass
class Target:
    failed: int = 0
    last_error: str | None = None


@dataclass
class CountedLink:
    name: str
    sent: int = 0
    failed: int = 0
    refused: int = 0
    receivers: Sequence[Target] = field(default_factory=lambda: [Target()])
    delivery: LinkStatus = field(default_factory=lambda: LinkStatus(Delivery.LISTENING))

    def status(self, _now_s: float) -> LinkStatus:
        return self.delivery


def subject(name: str = "CSTalk", links: int = 1) -> SubjectMetrics:
    counted = [CountedLink(f"livelink-face://127.0.0.1:{11111 + n}") for n in range(links)]
    made = SubjectMetrics(name, counted)
    made.lookahead_ms = 80
    made.buffer_at = lambda _now_s: 0.0076
    return made


def metrics(
    *subjects: SubjectMetrics, buffer_ms: float | None = 12, device: str = "cpu"
) -> Metrics:
    return Metrics(subjects or (subject(),), FRAME_RATES["60"], buffer_ms=buffer_ms, device=device)


def play(
    all_metrics: Metrics, seconds: float = 3.0, *, level_db: float = -24.0, start_s: float = 0.0
) -> float:
    """Let every subject speak at 60 fps; return the host time of the last tick."""
    now_s = start_s
    for tick in range(round(seconds * 60)):
        now_s = start_s + tick / 60
        all_metrics.tick_lateness.add(0.0004)
        all_metrics.record_step(0.0031, 1)
        for one in all_metrics.subjects:
            speak(one, now_s, tick, level_db)
    return now_s


def speak(one: SubjectMetrics, now_s: float, tick: int, level_db: float) -> None:
    if one.input_state is None:
        one.set_input(SourceState.RUNNING, "Built-in Microphone")
    one.record_level(now_s, level_db=level_db, peak_db=level_db + 10, gate_open=True)
    board = np.zeros(len(CHANNELS), dtype=np.float32)
    board[CHANNEL_INDEX["CTRL_C_jaw.ty"]] = 0.62
    one.record_face(board, FIRST_FRAME + tick)
    one.record_shown(Showing.LIVE, 0.0, now_s)
    for part, duration_ms in zip(LATENCY_PARTS, (5.0, 5.0, 10.0, 3.1, 12.0, 0.4), strict=True):
        one.record_latency(part, duration_ms / 1000)
    one.record_total_latency(0.0355)
    for link in one.links:
        assert isinstance(link.counters, CountedLink)
        link.counters.sent += 1
    one.read_links(now_s)

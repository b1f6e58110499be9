"""State of a running bridge as the page shows it: JSON of what changes seldom, and of the meters.

Both are made for all clients at once and at most so often as below, only while somebody watches.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cstalk_bridge.control.live_settings import read_live_settings
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.monitor.health import health, lamps
from cstalk_bridge.monitor.status_lines import log_status, time_status, timecode_label
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.system.files import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.control.controller import Controller, TakeController
    from cstalk_bridge.control.subject_controller import SubjectController
    from cstalk_bridge.monitor.metrics import (
        LinkMetrics,
        Metrics,
        PassthroughStatus,
        SubjectMetrics,
    )
    from cstalk_bridge.takes.recording.open_take import RecordedTake


METERS_S = 0.1
"""Time between two messages of meters: a level that moves at 10 Hz looks steady."""

STATE_S = 0.25
"""Time between two looks at the rest, which is sent where it differs."""

MAX_NOTICES = 12
"""Notices that the page shows."""

LOWEST_DB = -100.0
"""Level in place of minus infinity, which JSON lacks."""


class StatusFeed:
    """Messages on the state of the bridge of a controller; belongs to the loop of the server."""

    def __init__(self, controller: Controller, now: Callable[[], float]) -> None:
        self._controller = controller
        self._now = now
        self._state = self._meters = ""
        self._state_s = self._meters_s = -1.0

    def state(self) -> str:
        """Return the state, at most `STATE_S` old; "" while no bridge runs."""
        now_s = self._now()
        if now_s - self._state_s >= STATE_S:
            self._state_s = now_s
            self._state = _json(lambda: bridge_state(self._controller))
        return self._state

    def meters(self) -> str:
        """Return the meters, at most `METERS_S` old; "" while no bridge runs."""
        now_s = self._now()
        if now_s - self._meters_s >= 0.5 * METERS_S:
            self._meters_s = now_s
            self._meters = _json(lambda: bridge_meters(self._controller))
        return self._meters


def _json(make: Callable[[], dict[str, Any]]) -> str:
    try:
        return json.dumps(make(), separators=(",", ":"))
    except UserError:
        return ""


def bridge_state(controller: Controller) -> dict[str, Any]:
    """Return all but the meters. UserError while no bridge runs."""
    metrics, now_s = controller.metrics, controller.now()
    found: dict[str, Any] = {
        "kind": "state",
        "recording": recording_state(controller.takes),
        "subjects": [subject_state(subject) for subject in controller.subjects],
    }
    if metrics is None:
        return found
    for described, subject in zip(found["subjects"], metrics.subjects, strict=False):
        described.update(_measured(metrics, subject, now_s))
    return found | {
        "rate": str(metrics.rate),
        "device": metrics.device,
        "time": time_status(metrics, now_s),
        "log": log_status(metrics),
        "notices": [
            {
                "number": notice.number,
                "time_s": round(notice.time_s, 1),
                "subject": notice.subject,
                "text": printable(notice.text),
            }
            for notice in metrics.notices()[-MAX_NOTICES:]
        ],
    }


def subject_state(subject: SubjectController) -> dict[str, Any]:
    """Return the settings of a subject, the live ones by their field names."""
    return {
        "name": subject.name,
        "emotion": subject.mix,
        **read_live_settings(subject),
        "levels": asdict(subject.levels),
        "is_muted": subject.is_muted,
        "is_paused": subject.is_paused,
        "rigmaps": subject.rigmaps,
    }


def recording_state(takes: TakeController) -> dict[str, Any]:
    """Return the take that is being recorded, the next one, and those that have ended."""
    take = takes.recorder.take
    return {
        "is_recording": take is not None,
        "slate": take.slate if take else takes.slate,
        "take": take.number if take else takes.take,
        "lost": take.lost if take else 0,
        "folder": printable(str(takes.recorder.folder.resolve())),
        "ended": [_ended(ended) for ended in takes.ended],
    }


def _ended(take: RecordedTake) -> dict[str, str]:
    return {
        "identifier": take.identifier,
        "folder": printable(str(take.folder)),
        "begin": take.start_timecode,
        "end": take.end_timecode,
        "problem": printable(str(take.problem)) if take.problem else "",
    }


def _measured(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> dict[str, Any]:
    found, total = health(metrics, subject, now_s), subject.total.spread()
    return {
        "health": {
            "state": found.state.value,
            "advice": printable(found.advice),
            "is_fault": found.state.is_fault,
        },
        "lamps": [lamp.value for lamp in lamps(metrics, subject)],
        "input": printable(subject.input_name),
        "is_device": subject.is_device,
        "latency_ms": [round(1e3 * total.median_s), round(1e3 * total.p99_s)] if total else None,
        "buffer_ms": round(1e3 * subject.buffer_at(now_s)),
        "links": [_link(link, now_s) for link in subject.links],
        "losses": subject.losses,
        "passthrough": _passthrough(subject.passthrough) if subject.passthrough else None,
    }


def _link(link: LinkMetrics, now_s: float) -> dict[str, Any]:
    status = link.status(now_s)
    return {
        "name": printable(link.counters.name),
        "lamp": status.delivery.value,
        "state": _lamp_state(status.delivery),
        "advice": printable(status.advice),
        "rate": round(link.packets.per_second(now_s)),
        "failed": link.failures.lost,
    }


def _lamp_state(delivery: Delivery) -> str:
    """Return the colour of a lamp: a fault, good where somebody certainly listens, else none."""
    if delivery.is_fault:
        return "fault"
    return "good" if delivery is Delivery.LISTENING else "idle"


def _passthrough(played: PassthroughStatus) -> dict[str, Any]:
    return {
        "device": printable(played.device),
        "delay_ms": round(played.total_delay_ms),
        "late_ms": round(played.late_ms),
        "fault": printable(played.fault),
    }


def bridge_meters(controller: Controller) -> dict[str, Any]:
    """Return what moves all the time. UserError while no bridge runs."""
    metrics, now_s = controller.metrics, controller.now()
    if metrics is None:
        return {"kind": "meters", "now_s": now_s, "timecode": "", "take_s": 0.0, "subjects": []}
    take = controller.takes.recorder.take
    return {
        "kind": "meters",
        "now_s": round(now_s, 1),
        "timecode": timecode_label(metrics),
        "take_s": round(take.duration_s, 1) if take else 0.0,
        "subjects": [
            {
                "level_db": round(max(subject.level_db, LOWEST_DB), 1),
                "peak_db": round(max(subject.peak_db, LOWEST_DB), 1),
                "gate_open": subject.gate_open,
                "clips": subject.is_clipping,
                "emotion": {
                    name: round(weight, 2)
                    for name, weight in subject.emotion_at(now_s).items()
                    if weight >= 0.005
                },
            }
            for subject in metrics.subjects
        ],
    }

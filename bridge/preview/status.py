"""A running bridge as the page shows and steers it: state and meters as JSON, and the handlers
of requests that change it.

State and meters are made for all clients at once and at most so often as below, only while somebody
watches. What may wait for a file, a disk or a device does so in a thread.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from anyio.to_thread import run_sync
from starlette.responses import JSONResponse, Response

from cstalk_bridge.audio.passthrough import PassthroughState
from cstalk_bridge.control.keys import press_page_key
from cstalk_bridge.control.live_settings import change_live_settings, read_live_settings
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.monitor.health import health, lamps
from cstalk_bridge.monitor.status_lines import log_status, time_status, timecode_label
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.preview.recordings import (
    CONFLICT,
    KeyPress,
    SubjectRequest,
    TakeCommand,
    http_error,
    problems_list,
    read_document,
)
from cstalk_bridge.system.files import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

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
        "lamp": played.state.value,
        "state": _PASSTHROUGH_LAMPS[played.state],
        "delay_ms": round(played.total_delay_ms),
        "late_ms": round(played.late_ms),
        "gaps": played.underruns,
        "jumps": played.jumps,
        "fault": printable(played.fault),
    }


_PASSTHROUGH_LAMPS: Final = {
    PassthroughState.OPENING: "idle",
    PassthroughState.RUNNING: "good",
    PassthroughState.LOST: "fault",
}
"""Colours of the lamp."""


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


NO_STORE = {"cache-control": "no-store"}


class SteeringHandlers:
    """Handlers of a controller; without one there is nothing to steer."""

    def __init__(self, controller: Controller | None) -> None:
        self._controller = controller

    async def bridge(self, _request: Request) -> Response:
        """Return the state of the bridge."""
        return JSONResponse(bridge_state(self._running), headers=NO_STORE)

    async def subjects(self, _request: Request) -> Response:
        """Return the settings of each subject."""
        subjects = self._controller.subjects if self._controller else ()
        return JSONResponse([subject_state(subject) for subject in subjects], headers=NO_STORE)

    async def change(self, request: Request) -> Response:
        """Change settings of a subject; HttpError and UserError."""
        wanted = await read_document(request, SubjectRequest)
        subject = self._running.subject(request.path_params["name"])
        if wanted.input is not None:
            await run_sync(self._running.change_input, subject.name, wanted.input)
        await run_sync(change_subject, subject, wanted)
        return JSONResponse(subject_state(subject), headers=NO_STORE)

    async def record(self, request: Request) -> Response:
        """Start or end a take; UserError where it cannot be."""
        wanted = await read_document(request, TakeCommand)
        controller = self._running
        await run_sync(controller.record, wanted.action, wanted.slate, wanted.take)
        return JSONResponse(recording_state(controller.takes), headers=NO_STORE)

    async def press(self, request: Request) -> Response:
        """Carry out the action of a key; UserError where it cannot be."""
        wanted = await read_document(request, KeyPress)
        controller = self._running
        subject = controller.subject(wanted.subject)
        await run_sync(press_page_key, wanted.key, controller, subject)
        return JSONResponse(subject_state(subject), headers=NO_STORE)

    async def devices(self, _request: Request) -> Response:
        """Return the audio inputs that there are, and why there are none."""
        return JSONResponse(await run_sync(partial(listed_inputs)), headers=NO_STORE)

    @property
    def _running(self) -> Controller:
        if self._controller is None:
            what = "no bridge runs here"
            raise http_error(CONFLICT, "preview", what, "start `cstalk-bridge run --preview`")
        return self._controller


def change_subject(subject: SubjectController, wanted: SubjectRequest) -> None:
    """Change what is wanted of a subject; may wait for a file. UserError for what is refused."""
    for part, level in wanted.levels.items():
        subject.level(part, level)
    for present, other in wanted.rigmaps.items():
        subject.rigmap(present, other)
    change_live_settings(subject, wanted.numbers, wanted.over_s)
    if wanted.emotion is not None:
        subject.emotion(wanted.emotion, wanted.over_s)
    if wanted.is_muted is not None:
        subject.mute(is_muted=wanted.is_muted)
    if wanted.is_paused is not None:
        subject.pause(is_paused=wanted.is_paused)


def listed_inputs() -> dict[str, Any]:
    """Return the input devices by the names that a config takes, and problems of listing them."""
    from cstalk_bridge.audio.devices import list_devices

    try:
        devices = list_devices()
    except UserError as error:
        return {"inputs": [], "problems": problems_list(error.problems)}
    inputs = [
        {"id": device.full_name, "name": printable(device.name), "is_default": device.is_default}
        for device in devices
    ]
    return {"inputs": inputs, "problems": []}

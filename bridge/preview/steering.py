"""Request handlers by which the page steers a running bridge, through its controller.

What may wait for a file, a disk or a device does so in a thread.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from starlette.responses import JSONResponse, Response

from cstalk_bridge.control.keys import press_page_key
from cstalk_bridge.control.live_settings import change_live_settings
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.preview.recordings import (
    CONFLICT,
    KeyPress,
    SubjectRequest,
    TakeCommand,
    http_error,
    problems_list,
    read_document,
)
from cstalk_bridge.preview.status import bridge_state, recording_state, subject_state
from cstalk_bridge.system.files import printable

if TYPE_CHECKING:
    from starlette.requests import Request

    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.subject_controller import SubjectController


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

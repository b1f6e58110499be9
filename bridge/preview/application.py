"""The web application: the page's files, its routes, its WebSocket, and errors as problem
documents.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.preview.guard import Guard
from cstalk_bridge.preview.handlers import SessionHandlers, SubjectHandlers
from cstalk_bridge.preview.requests import (
    BAD_REQUEST,
    NOT_FOUND,
    HttpError,
    http_error,
    problems_document,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp

    from cstalk_bridge.config.servers import PreviewConfig
    from cstalk_bridge.preview.hub import Client, Hub
    from cstalk_bridge.preview.session import Session


PAGE_FOLDER = Path(__file__).resolve().parent / "page"
INDEX = "index.html"

MEDIA_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css"}
"""Windows may report other types for these, from its registry."""

COMPRESSED = ("text/", "application/json", "image/svg")
"""Beginnings of media types worth packing."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, as it is and packed by gzip."""

    content: bytes
    packed: bytes | None
    media_type: str
    etag: str

    def response(self, request: Request) -> Response:
        """Return the answer to a request, without content where the browser has it already."""
        headers = {"etag": self.etag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        if self.packed and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(self.packed, headers=headers, media_type=self.media_type)
        return Response(self.content, headers=headers, media_type=self.media_type)


class Page:
    """Serves the files of one folder by their paths in it, and no others."""

    def __init__(self, folder: Path = PAGE_FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _read_page_file(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    async def index(self, request: Request) -> Response:
        """Serve the page itself."""
        return self._file(INDEX).response(request)

    async def file(self, request: Request) -> Response:
        """Serve one of its files."""
        return self._file(request.path_params["path"]).response(request)

    def _file(self, path: str) -> PageFile:
        if path not in self._files:
            raise http_error(NOT_FOUND, "page", f"there is no {path[:80]!r}")
        return self._files[path]


def _read_page_file(path: Path) -> PageFile:
    content = path.read_bytes()
    guessed = MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    media_type = guessed or "application/octet-stream"
    packed = gzip.compress(content, 6) if media_type.startswith(COMPRESSED) else None
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return PageFile(content, packed, media_type, etag)


GOING_AWAY, POLICY_VIOLATION, TRY_AGAIN_LATER = 1001, 1008, 1013
"""Reasons for which a server closes, of RFC 6455 section 7.4.1 and the IANA registry."""


def live_endpoint(hub: Hub | None) -> Callable[[WebSocket], Awaitable[None]]:
    """Return the endpoint of a hub; without one, no daemon runs and every client is sent away."""

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        if hub is None:
            await socket.close(GOING_AWAY, "no daemon runs here")
            return
        with hub.joined() as client:
            if client is None:
                await socket.close(TRY_AGAIN_LATER, "too many clients")
                return
            await socket.send_json(
                {
                    "subjects": [{"name": name} for name in hub.subjects],
                    "curves": hub.curves,
                    "rate_hz": hub.rate_hz,
                }
            )
            await _send_until_closed(socket, client)

    return live


async def _send_until_closed(socket: WebSocket, client: Client) -> None:
    """Send frames until the client leaves or sends a message, which it must not."""
    sending = asyncio.create_task(_send_frames(socket, client))
    try:
        message = await socket.receive()
        if message["type"] == "websocket.receive":
            sending.cancel()
            await socket.close(POLICY_VIOLATION, "this socket takes no messages")
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send_frames(socket: WebSocket, client: Client) -> None:
    try:
        while True:
            await socket.send_bytes(await client.next())
    except (WebSocketDisconnect, RuntimeError):
        # It left while a frame was being sent; `receive` reports that as well.
        return


SERVER_FAULT = 500


def create_application(
    session: Session, spec: PreviewConfig, port: int, notice: Callable[[str], None]
) -> ASGIApp:
    """Return the application; `notice` receives faults of the program."""

    def problems(_request: Request, error: Exception) -> Response:
        if not isinstance(error, UserError):
            raise error
        status = error.status if isinstance(error, HttpError) else BAD_REQUEST
        return JSONResponse(problems_document(session.library.recordings.named(error)), status)

    def fault(request: Request, error: Exception) -> Response:
        what = f"an internal error: {type(error).__name__}: {' '.join(str(error).split())}"
        notice(f"preview, {request.url.path}: {what}")
        return JSONResponse(problems_document(UserError(Problem("preview", what))), SERVER_FAULT)

    app = Starlette(
        routes=[*_routes(session)],
        exception_handlers={
            UserError: problems,
            HTTPException: _http_problem,
            ClientDisconnect: _gone,
            Exception: fault,
        },
    )
    return Guard(app, spec, port)


def _routes(session: Session) -> list[Route | WebSocketRoute]:
    page, answers, steering = Page(), SessionHandlers(session), SubjectHandlers(session.controller)
    take = "/api/takes/{id}"
    return [
        Route("/", page.index),
        Route("/page/{path:path}", page.file),
        Route("/heads/{id}.glb", answers.head),
        Route("/api/session", answers.session),
        Route("/api/live", answers.live_counters),
        Route("/api/subjects", steering.subjects),
        Route("/api/subjects/{name:path}", steering.change, methods=["POST"]),
        Route("/api/recordings", answers.add_recording, methods=["POST"]),
        Route("/api/takes", answers.add_take, methods=["POST"]),
        Route(take, answers.take),
        Route(take, answers.drop_take, methods=["DELETE"]),
        Route(f"{take}/curves", answers.curves),
        Route(f"{take}/sound", answers.sound),
        Route(f"{take}/waveform", answers.waveform),
        Route(f"{take}/spectrogram", answers.spectrogram),
        Route(f"{take}/export", answers.export),
        WebSocketRoute("/live", live_endpoint(session.hub)),
    ]


def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else BAD_REQUEST
    what = error.detail if isinstance(error, HTTPException) else str(error)
    where = f"{request.method} {request.url.path[:80]}"
    return JSONResponse(problems_document(UserError(Problem(where, what))), status)


def _gone(_request: Request, _error: Exception) -> Response:
    """Answer somebody who has left."""
    return Response(status_code=BAD_REQUEST)

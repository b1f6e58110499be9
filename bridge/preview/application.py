"""The web application of a preview: its routes, and faults told as problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from bridge.errors import Problem, UserError
from bridge.preview.answers import Answers
from bridge.preview.guard import Guard
from bridge.preview.live import live_endpoint
from bridge.preview.page import Page
from bridge.preview.refusal import BAD_REQUEST, RefusalError, as_document
from bridge.preview.steering import Steering

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from bridge.preview.session import Session
    from bridge.preview.spec import PreviewSpec

FAULT = 500


def application(
    session: Session, spec: PreviewSpec, port: int, notice: Callable[[str], None]
) -> ASGIApp:
    """Return the application; `notice` is told of faults of ours."""

    def problems(_request: Request, error: Exception) -> Response:
        if not isinstance(error, UserError):
            raise error
        status = error.status if isinstance(error, RefusalError) else BAD_REQUEST
        return JSONResponse(as_document(session.studio.recordings.named(error)), status)

    def fault(request: Request, error: Exception) -> Response:
        what = f"a fault of the program: {type(error).__name__}: {' '.join(str(error).split())}"
        notice(f"preview, {request.url.path}: {what}")
        return JSONResponse(as_document(UserError(Problem("preview", what))), FAULT)

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
    page, answers, steering = Page(), Answers(session), Steering(session.desk)
    take = "/api/takes/{id}"
    return [
        Route("/", page.index),
        Route("/page/{path:path}", page.file),
        Route("/heads/{id}.glb", answers.head),
        Route("/api/session", answers.session),
        Route("/api/live", answers.live_counters),
        Route("/api/subjects", steering.subjects),
        Route("/api/subjects/{name:path}", steering.tell, methods=["POST"]),
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
    return JSONResponse(as_document(UserError(Problem(where, what))), status)


def _gone(_request: Request, _error: Exception) -> Response:
    """Answer somebody who has left."""
    return Response(status_code=BAD_REQUEST)

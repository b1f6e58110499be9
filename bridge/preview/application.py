"""The web application: the page's files, its routes, its WebSocket, access control, and errors
as problem details.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import ipaddress
import mimetypes
import secrets
import socket
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.preview.handlers import SessionHandlers
from cstalk_bridge.preview.health import MACHINE_PATHS, HealthHandlers
from cstalk_bridge.preview.recordings import (
    BAD_REQUEST,
    FORBIDDEN,
    MISDIRECTED,
    NOT_FOUND,
    UNAUTHORIZED,
    HttpError,
    http_error,
    problems_document,
)
from cstalk_bridge.preview.status import METERS_S, StatusFeed, SteeringHandlers
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cstalk_bridge.config.schema import PreviewConfig
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.preview.hub import Client, Hub
    from cstalk_bridge.preview.session import Session


SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HTTP_PORT = 80
"""The port of a Host that names none."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

FLEET_PATH = "/fleet"

PAGE_PATHS = ("/", FLEET_PATH)
"""Pages that are opened with the token in their address, and get a cookie for it."""

POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "connect-src 'self' {connections}; img-src 'self' blob: data:; "
    "media-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""`'wasm-unsafe-eval'` lets the decoder of meshopt heads run, and no other text become a program.
Older Safari does not take `'self'` to mean WebSockets too."""

CONNECTIONS = "ws://{host} blob: data:"
FLEET_CONNECTIONS = "http: https:"
"""The page of several bridges reads the health of any address that its user names."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """The layer; `spec` holds the hosts at which the server listens, `port` its port."""

    def __init__(self, app: ASGIApp, spec: PreviewConfig, port: int) -> None:
        self._app = app
        self._spec = spec
        self._port = port
        self._cookie = f"cstalk_preview_{port}"
        self._names = {*LOOPBACK_NAMES, spec.host.lower()}
        if not spec.is_loopback:
            name = socket.gethostname().lower()
            self._names |= {name, f"{name}.local", socket.getfqdn().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        headers = Headers(scope=scope)
        answer = self._answer(scope, headers)

        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                added = MutableHeaders(scope=message)
                added.update(HEADERS)
                added["content-security-policy"] = _policy(scope["path"], headers.get("host", ""))
            await send(message)

        if answer is not None:
            await answer(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that is not passed on."""
        host = headers.get("host", "").lower()
        if not self._is_our_host(host):
            what = f"this is no server of {host[:80]!r}"
            return _refused(http_error(MISDIRECTED, "Host", what, "open the address it printed"))
        is_safe = scope["type"] == "http" and scope["method"] in SAFE_METHODS
        origin = headers.get("origin")
        if not is_safe and origin is not None and not _is_of(origin, host):
            what = f"a page of {origin[:80]!r} may not do this"
            return _refused(http_error(FORBIDDEN, "Origin", what, "use the preview's own page"))
        return self._token_answer(scope, headers)

    def _token_answer(self, scope: Scope, headers: Headers) -> Response | None:
        token = self._spec.token
        if token is None or _same(self._shown_cookie(headers), token):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        is_shown = _same(query.pop("token", [""])[0], token)
        path = scope["path"] if scope["type"] == "http" else ""
        if path in MACHINE_PATHS and (is_shown or _same(_bearer(headers), token)):
            return None
        if path in PAGE_PATHS and is_shown:
            rest = f"?{urlencode(query, doseq=True)}" if query else ""
            redirect = RedirectResponse(f"{path}{rest}", 303)
            redirect.set_cookie(self._cookie, token, httponly=True, samesite="strict")
            return redirect
        what = "this bridge asks for its token"
        remedy = "open the address with ?token= that it printed when it started"
        return _refused(http_error(UNAUTHORIZED, "token", what, remedy))

    def _is_our_host(self, host: str) -> bool:
        """Whether a Host names this server. Beyond loopback any IP address does: names are what a
        rebinding needs."""
        name, port = _split(host)
        if (HTTP_PORT if port is None else port) != self._port:
            return False
        if name in self._names:
            return True
        return not self._spec.is_loopback and _is_address(name)

    def _shown_cookie(self, headers: Headers) -> str:
        try:
            cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        morsel: Any = cookies.get(self._cookie)
        return morsel.value if morsel else ""


def _policy(path: str, host: str) -> str:
    allowed = FLEET_CONNECTIONS if path == FLEET_PATH else CONNECTIONS.format(host=host)
    return POLICY.format(connections=allowed)


def _bearer(headers: Headers) -> str:
    """Return the token of RFC 6750, section 2.1."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _refused(error: HttpError) -> Response:
    return JSONResponse(problems_document(error), error.status)


def _same(shown: str, token: str) -> bool:
    """Compare in constant time."""
    return secrets.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _is_of(origin: str, host: str) -> bool:
    """Whether an Origin is a page of that Host, also behind something that speaks TLS for us."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host


def _split(host: str) -> tuple[str, int | None]:
    """Return name and port of a Host; an IPv6 address keeps its brackets."""
    name, colon, port = host.rpartition(":")
    if colon and port.isdecimal() and len(port) <= len("65535"):
        return name, int(port)
    return host, None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


PAGE_FOLDER = Path(__file__).resolve().parent / "page"
INDEX, FLEET = "index.html", "fleet.html"

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

    async def fleet(self, request: Request) -> Response:
        """Serve the page of several bridges."""
        return self._file(FLEET).response(request)

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


def live_endpoint(
    hub: Hub | None, feed: StatusFeed | None = None
) -> Callable[[WebSocket], Awaitable[None]]:
    """Return the endpoint of a hub; without one, no daemon runs and every client is sent away.

    Frames are binary; the introduction and the messages of the `feed` are text.
    """

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        if hub is None:
            await socket.close(GOING_AWAY, "no daemon runs here")
            return
        with hub.joined() as client:
            if client is None:
                await socket.close(TRY_AGAIN_LATER, "too many clients")
                return
            await _send_until_closed(socket, client, hub, feed)

    return live


async def _send_until_closed(
    socket: WebSocket, client: Client, hub: Hub, feed: StatusFeed | None
) -> None:
    """Send frames and state until the client leaves or sends a message, which it must not."""
    sending = [asyncio.create_task(_send_frames(socket, client, hub))]
    if feed is not None:
        sending.append(asyncio.create_task(_send_status(socket, feed)))
    try:
        message = await socket.receive()
        if message["type"] == "websocket.receive":
            _cancel(sending)
            await socket.close(POLICY_VIOLATION, "this socket takes no messages")
    finally:
        _cancel(sending)
        await asyncio.gather(*sending, return_exceptions=True)


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


async def _send_frames(socket: WebSocket, client: Client, hub: Hub) -> None:
    """Send frames, and before the first, and those of other subjects, what they hold."""
    introduced = 0
    try:
        while True:
            if introduced != hub.arrangements:
                introduced = hub.arrangements
                await socket.send_json(hub.introduction)
            await socket.send_bytes(await client.next())
    except (WebSocketDisconnect, RuntimeError):
        # It left while a frame was being sent; `receive` reports that as well.
        return


async def _send_status(socket: WebSocket, feed: StatusFeed) -> None:
    """Send the state whenever it has changed, and the meters all the time."""
    sent = ""
    try:
        while True:
            state, meters = feed.state(), feed.meters()
            if state and state != sent:
                await socket.send_text(state)
                sent = state
            if meters:
                await socket.send_text(meters)
            await asyncio.sleep(METERS_S)
    except (WebSocketDisconnect, RuntimeError):
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

    health = HealthHandlers(session.controller, spec).routes if session.controller else []
    app = Starlette(
        routes=[*_routes(session), *health],
        exception_handlers={
            UserError: problems,
            HTTPException: _http_problem,
            ClientDisconnect: _gone,
            Exception: fault,
        },
    )
    return Guard(app, spec, port)


def create_health_application(controller: Controller, spec: PreviewConfig, port: int) -> ASGIApp:
    """Return the application of a bridge without a preview: its health, and the page of several."""
    page = Page()
    routes = [Route(FLEET_PATH, page.fleet), Route("/page/{path:path}", page.file)]
    app = Starlette(
        routes=[*routes, *HealthHandlers(controller, spec).routes],
        exception_handlers={HttpError: _health_problem, HTTPException: _http_problem},
    )
    return Guard(app, spec, port)


def _health_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HttpError):
        raise error
    return _refused(error)


def _routes(session: Session) -> list[Route | WebSocketRoute]:
    page, answers, steering = Page(), SessionHandlers(session), SteeringHandlers(session.controller)
    feed = StatusFeed(session.controller, host_now) if session.controller else None
    take = "/api/takes/{id}"
    return [
        Route("/", page.index),
        Route(FLEET_PATH, page.fleet),
        Route("/page/{path:path}", page.file),
        Route("/heads/{id}.glb", answers.head),
        Route("/api/session", answers.session),
        Route("/api/live", answers.live_counters),
        Route("/api/bridge", steering.bridge),
        Route("/api/recording", steering.record, methods=["POST"]),
        Route("/api/key", steering.press, methods=["POST"]),
        Route("/api/devices", steering.devices),
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
        Route(f"{take}/wave", answers.wave),
        WebSocketRoute("/live", live_endpoint(session.hub, feed)),
    ]


def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else BAD_REQUEST
    what = error.detail if isinstance(error, HTTPException) else str(error)
    where = f"{request.method} {request.url.path[:80]}"
    return JSONResponse(problems_document(UserError(Problem(where, what))), status)


def _gone(_request: Request, _error: Exception) -> Response:
    """Answer somebody who has left."""
    return Response(status_code=BAD_REQUEST)

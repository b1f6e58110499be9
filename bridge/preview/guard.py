"""Access control of the preview: an ASGI layer that checks host, origin and token of every
request.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response

from cstalk_bridge.preview.requests import (
    FORBIDDEN,
    MISDIRECTED,
    UNAUTHORIZED,
    http_error,
    problems_document,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from cstalk_bridge.config.servers import PreviewConfig
    from cstalk_bridge.preview.requests import HttpError


SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HTTP_PORT = 80
"""The port of a Host that names none."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
    "connect-src 'self' ws://{host} blob: data:; img-src 'self' blob: data:; "
    "media-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""`'wasm-unsafe-eval'` lets the decoder of meshopt heads run, and no other text become a program.
Older Safari does not take `'self'` to mean WebSockets too."""

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
                added["content-security-policy"] = POLICY.format(host=headers.get("host", ""))
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
        shown = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["type"] == "http" and scope["path"] == "/" and _same(shown, token):
            redirect = RedirectResponse("/", 303)
            redirect.set_cookie(self._cookie, token, httponly=True, samesite="strict")
            return redirect
        what = "this preview asks for its token"
        remedy = "open the address with ?token= that it printed when it started"
        return _refused(http_error(UNAUTHORIZED, "preview", what, remedy))

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

"""The server's thread: uvicorn on a socket that is bound before anything else is done."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bridge.errors import UserError
from bridge.listening import binding_problem, url_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from bridge.preview.spec import PreviewSpec

MAX_MESSAGE_BYTES = 1 << 10
"""Size of a message that a WebSocket client may send; it has nothing to say."""

MAX_HEAD_BYTES = 1 << 14
"""Size of a request without its body."""

THREADS = 6
"""Threads for what would hold up the loop: files, sums, exports."""

GRACE_S = 1
"""Time given to what is being answered when the server stops."""

STOP_S = 5.0
"""Time given to the thread to end; an answer that hangs is left behind."""

MAX_NOTICES = 10
"""Faults of connections that are told; a hostile client shall not fill a log."""

LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio", "websockets")
SILENT = logging.CRITICAL + 1


def bound_socket(spec: PreviewSpec) -> socket.socket:
    """Return a socket that listens where the spec says. UserError where that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            spec.host, spec.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        problem = binding_problem(f"preview {spec}", "TCP", spec.host, spec.port, error)
        raise UserError(problem) from None


def url_of(spec: PreviewSpec, port: int) -> str:
    """Return the address to open in a browser, with the token where there is one."""
    is_any = spec.host in ("0.0.0.0", "::")  # noqa: S104 - it is compared, not bound
    host = socket.gethostname() if is_any else spec.host
    query = f"?token={spec.token}" if spec.token else ""
    return f"http://{url_host(host)}:{port}/{query}"


class Server:
    """A thread that serves an application on a bound socket, from `start` to `stop`."""

    def __init__(self, app: ASGIApp, bound: socket.socket, notice: Callable[[str], None]) -> None:
        from uvicorn import Config

        from bridge.preview.accepting import BoundedServer
        from bridge.preview.connection import PING_S, HttpConnection, LiveConnection

        self._notice = notice
        self._faults = 0
        self._bound = bound
        config = Config(
            app,
            http=HttpConnection,
            ws=LiveConnection,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            ws_per_message_deflate=False,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        self._uvicorn = BoundedServer(config)
        self._thread = threading.Thread(target=self._run, name="preview", daemon=True)

    def start(self) -> None:
        """Begin to serve; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Close all connections and end the thread."""
        self._uvicorn.should_exit = True
        self._thread.join(STOP_S)

    def _run(self) -> None:
        with _silent_loggers(), asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = THREADS
        asyncio.get_running_loop().set_exception_handler(self._tell)
        await self._uvicorn.serve(sockets=[self._bound])

    def _tell(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._faults += 1
        if self._faults <= MAX_NOTICES:
            self._notice(f"preview: {context.get('message', '')} {context.get('exception', '')}")


@contextmanager
def _silent_loggers() -> Iterator[None]:
    """Keep the server's log off the terminal, which may show the dashboard."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(SILENT)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)

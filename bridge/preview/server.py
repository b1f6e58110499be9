"""Opens and serves a preview: binds its socket before anything else, and runs uvicorn on a thread.

uvicorn, Starlette and the session are imported where they are needed, because a run without a
preview does without them.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.preview.hub import Hub, PreviewLink
from cstalk_bridge.rig.curves import ARKIT_CURVES
from cstalk_bridge.system.addresses import ANY_ADDRESS, bind_or_explain, url_host
from cstalk_bridge.system.worker import SERVER_STOP_TIMEOUT_S, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import ASGIApp

    from cstalk_bridge.audio.levels import Channel
    from cstalk_bridge.config.schema import PreviewConfig
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.preview.session import Session
    from cstalk_bridge.takes.generate import GenerationConfig


MAX_MESSAGE_BYTES = 1 << 10
"""Size of a message that a WebSocket client may send; it needs none."""

MAX_HEAD_BYTES = 1 << 14
"""Size of a request without its body."""

THREADS = 6
"""Threads for what would hold up the loop: files, sums, exports."""

GRACE_S = 1
"""Time given to what is being answered when the server stops."""

MAX_NOTICES = 10
"""Faults of connections that are reported; a hostile client must not fill a log."""

LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio", "websockets")
SILENT_LEVEL = logging.CRITICAL + 1


def url_of(spec: PreviewConfig, port: int, path: str = "/") -> str:
    """Return the address to open in a browser, with the token where there is one."""
    host = socket.gethostname() if spec.host in ANY_ADDRESS else spec.host
    query = f"?token={spec.token}" if spec.token else ""
    return f"http://{url_host(host)}:{port}{path}{query}"


class PreviewServer:
    """A thread that serves an application on a bound socket, from `start` to `stop`.

    `name` is for notices of its faults.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: socket.socket,
        notice: Callable[[str], None],
        name: str = "preview",
    ) -> None:
        from uvicorn import Config

        from cstalk_bridge.preview.connections import (
            PING_S,
            BoundedServer,
            HttpConnection,
            LiveConnection,
        )

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
        self._name = name
        self._worker = Worker("preview", self._run, failed=self._report_failure)

    def start(self) -> None:
        """Begin to serve; returns at once."""
        self._worker.start()

    def stop(self) -> None:
        """Close all connections and end the thread."""
        self._uvicorn.should_exit = True
        self._worker.join(SERVER_STOP_TIMEOUT_S)

    def _run(self) -> None:
        with _silent_loggers(), asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        from anyio.to_thread import current_default_thread_limiter

        current_default_thread_limiter().total_tokens = THREADS
        asyncio.get_running_loop().set_exception_handler(self._report_loop_error)
        await self._uvicorn.serve(sockets=[self._bound])

    def _report_failure(self, error: Exception) -> None:
        self._notice(f"{self._name}: the server has ended ({type(error).__name__}: {error})")

    def _report_loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._faults += 1
        if self._faults <= MAX_NOTICES:
            what = f"{context.get('message', '')} {context.get('exception', '')}"
            self._notice(f"{self._name}: {what}")


@contextmanager
def _silent_loggers() -> Iterator[None]:
    """Keep the server's log off the terminal, which may show the dashboard."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(SILENT_LEVEL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


class HealthServer:
    """The health of a run at an address of its own, from `start` to `close`; `url` is `/health`."""

    def __init__(self, spec: PreviewConfig, bound: socket.socket, controller: Controller) -> None:
        self._spec = spec
        self._bound = bound
        self._controller = controller
        self._port = int(bound.getsockname()[1])
        self._server: PreviewServer | None = None
        self.url = url_of(spec, self._port, "/health")

    def start(self, notice: Callable[[str], None]) -> None:
        """Serve until it is closed; `notice` receives faults, from other threads."""
        from cstalk_bridge.preview.application import create_health_application

        app = create_health_application(self._controller, self._spec, self._port)
        self._server = PreviewServer(app, self._bound, notice, "health")
        self._server.start()

    def close(self) -> None:
        """Close all connections and the port."""
        if self._server is not None:
            self._server.stop()
        self._bound.close()


@contextmanager
def open_health(spec: PreviewConfig, controller: Controller) -> Iterator[HealthServer]:
    """Bind the address of the health of a run for a context. UserError where it cannot be had."""
    spec = spec.guarded()
    bound = bind_or_explain(f"health {spec}", "tcp", spec.host, spec.port)
    server = HealthServer(spec, bound, controller)
    try:
        yield server
    finally:
        server.close()


RIGMAP_FOLDERS = (Path("rigmaps"), Path())
"""Where rig maps of the user are looked for, from the folder in which the program was started."""


class Preview:
    """A preview that is open: it has its port, and serves from `start` on.

    `url` is what to open in a browser, with the token; in `folder` lie the files of the session.
    """

    def __init__(
        self, spec: PreviewConfig, bound: socket.socket, session: Session, closing: ExitStack
    ) -> None:
        self.hub = session.hub
        self.folder = session.library.recordings.folder
        self._spec = spec
        self._bound = bound
        self._port = int(bound.getsockname()[1])
        self._session = session
        self._closing = closing
        self.url = url_of(spec, self._port)

    def link(self, subject: int) -> PreviewLink:
        """Return the link of a subject, by its place among the subjects of the hub."""
        if self.hub is None:
            raise ValueError("a preview without subjects has no links")
        return PreviewLink(self.hub, subject)

    def start(self, notice: Callable[[str], None]) -> None:
        """Serve until the preview is closed; `notice` receives faults, from other threads."""
        from cstalk_bridge.preview.application import create_application

        app = create_application(self._session, self._spec, self._port, notice)
        server = PreviewServer(app, self._bound, notice)
        server.start()
        self._closing.callback(server.stop)
        self._session.library.start(notice)


@contextmanager
def open_preview(
    spec: PreviewConfig,
    *,
    load: Callable[[], Generator],
    subjects: Sequence[str] = (),
    rate_hz: float = 0.0,
    controller: Controller | None = None,
    files: Sequence[Path] = (),
    settings: GenerationConfig | None = None,
    head: Path | None = None,
    channel: Channel = None,
    subject: str | None = None,
) -> Iterator[Preview]:
    """Open a preview for the length of a context.

    `load` returns the generator when the first take is requested, in a thread of the preview.
    `subjects` are those of a daemon, shown live at `rate_hz` and changed by its `controller`;
    without any the page shows recordings alone. `files` are recordings and takes to show from the
    start, `head` a head to show them on. `channel` is that of the recordings among them, `subject`
    that of recorded takes, all by default. `settings` are those with which takes of the
    recordings are made.
    UserError with the problems of all of them, or where no address to listen at is configured.
    """
    spec = spec.guarded()
    with ExitStack() as closing:
        bound = closing.enter_context(
            bind_or_explain(f"preview {spec}", "tcp", spec.host, spec.port)
        )
        folder = Path(tempfile.mkdtemp(prefix="cstalk-preview-"))
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        hub = None
        if subjects:
            hub = Hub(subjects, ARKIT_CURVES, rate_hz)
        session = _session(folder, load, hub, files, settings, head, channel, subject)
        session = replace(session, controller=controller)
        closing.callback(session.library.close)
        yield Preview(spec, bound, session, closing)


def _session(
    folder: Path,
    load: Callable[[], Generator],
    hub: Hub | None,
    files: Sequence[Path],
    settings: GenerationConfig | None,
    head: Path | None,
    channel: Channel,
    subject: str | None,
) -> Session:
    from cstalk_bridge.preview.recordings import Recordings
    from cstalk_bridge.preview.session import Session, SessionLibrary, heads_of
    from cstalk_bridge.preview.takes import RigMaps
    from cstalk_bridge.takes.generate import GenerationConfig

    library = SessionLibrary(Recordings(folder), load, settings or GenerationConfig())
    opened: list[str] = []
    problems: list[Problem] = []
    for path in files:
        try:
            opened += (entry.id for entry in library.open_named(path, channel, subject))
        except UserError as error:
            problems += error.problems
    try:
        heads = heads_of(head)
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError.of(problems)
    return Session(library, RigMaps(RIGMAP_FOLDERS), heads, hub, tuple(opened))

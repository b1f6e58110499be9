"""From where a preview listens to one that serves."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.links.opening import PACKET_TABLE
from bridge.preview.hub import Hub
from bridge.preview.link import PreviewLink
from bridge.preview.server import Server, bound_socket, url_of
from bridge.rig.tables import load_table

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from bridge.audio.channel import Channel
    from bridge.control.desk import Desk
    from bridge.preview.session import Session
    from bridge.preview.spec import PreviewSpec
    from bridge.takes.settings import Settings
    from models.generator import Generator

RIGMAP_FOLDERS = (Path("rigmaps"), Path())
"""Where rig maps of the user are looked for, from the folder in which the program was started."""


class Preview:
    """A preview that is open: it has its port, and serves from `start` on.

    `url` is what to open in a browser, with the token; in `folder` lie the files of the session.
    """

    def __init__(
        self, spec: PreviewSpec, bound: socket.socket, session: Session, closing: ExitStack
    ) -> None:
        self.hub = session.hub
        self.folder = session.studio.recordings.folder
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
        """Serve until the preview is closed; `notice` is told of faults, from other threads."""
        from bridge.preview.application import application

        app = application(self._session, self._spec, self._port, notice)
        server = Server(app, self._bound, notice)
        server.start()
        self._closing.callback(server.stop)
        self._session.studio.start(notice)


@contextmanager
def open_preview(
    spec: PreviewSpec,
    *,
    load: Callable[[], Generator],
    subjects: Sequence[str] = (),
    rate_hz: float = 0.0,
    desk: Desk | None = None,
    files: Sequence[Path] = (),
    settings: Settings | None = None,
    head: Path | None = None,
    channel: Channel = None,
) -> Iterator[Preview]:
    """Open a preview for the length of a context.

    `load` returns the generator when the first take is asked for, in a thread of the preview.
    `subjects` are those of a daemon, shown live at `rate_hz` and told what to do at its `desk`;
    without any the page shows recordings alone. `files` are recordings and takes to show from the
    start, `head` a head to show them on.
    `channel` is that of the recordings among them.
    `settings` are those with which takes of the recordings are made.
    UserError with the problems of all of them, or where the spec says no place to listen at.
    """
    spec = spec.guarded()
    with ExitStack() as closing:
        bound = closing.enter_context(bound_socket(spec))
        folder = Path(tempfile.mkdtemp(prefix="cstalk-preview-"))
        closing.callback(shutil.rmtree, folder, ignore_errors=True)
        hub = None
        if subjects:
            curves = [curve.name for curve in load_table(PACKET_TABLE).curves]
            hub = Hub(subjects, curves, rate_hz)
        session = _session(folder, load, hub, files, settings, head, channel)
        session = replace(session, desk=desk)
        closing.callback(session.studio.close)
        yield Preview(spec, bound, session, closing)


def _session(
    folder: Path,
    load: Callable[[], Generator],
    hub: Hub | None,
    files: Sequence[Path],
    settings: Settings | None,
    head: Path | None,
    channel: Channel,
) -> Session:
    from bridge.preview.heads import heads_of
    from bridge.preview.recordings import Recordings
    from bridge.preview.rigmaps import RigMaps
    from bridge.preview.session import Session
    from bridge.preview.studio import Studio
    from bridge.takes.settings import Settings

    studio = Studio(Recordings(folder), load, settings or Settings())
    opened: list[str] = []
    problems: list[Problem] = []
    for path in files:
        try:
            opened.append(studio.open_named(path, channel).id)
        except UserError as error:
            problems += error.problems
    try:
        heads = heads_of(head)
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError.of(problems)
    return Session(studio, RigMaps(RIGMAP_FOLDERS), heads, hub, tuple(opened))

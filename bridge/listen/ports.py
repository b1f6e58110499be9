"""UDP ports on which to listen."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.links.protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

DEFAULT_PORTS = tuple(sorted({protocol.default_port for protocol in PROTOCOLS.values()}))
"""Where each protocol is sent unless something else is said."""

MAX_PORTS = 16
"""More ports are a mistake in a list."""

MAX_PORT = 65535

BUFFER_BYTES = 1 << 22
"""Asked of the system for each port: what comes while the terminal is drawn must not be lost."""

REMEDY = "close what receives there (Unreal itself?), or listen at another --port"


@dataclass(frozen=True, slots=True, eq=False)
class Ports:
    """Bound sockets, and a sentence for every port that could not be had. Closed on leaving."""

    host: str
    sockets: tuple[socket.socket, ...]
    numbers: tuple[int, ...]
    """The ports of the sockets."""
    notices: tuple[str, ...]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for bound in self.sockets:
            bound.close()


def open_ports(host: str, ports: Sequence[int], *, need_all: bool) -> Ports:
    """Bind `ports` (0 is any free one) of the address `host`, such as 0.0.0.0 or ::1.

    A port that is taken is noted, and listening goes on at the others; with `need_all`, or when
    none is left, it is a UserError, which names them all.
    """
    if len(ports) > MAX_PORTS:
        what = f"{len(ports)} ports, at most {MAX_PORTS} are possible"
        raise UserError(Problem("--port", what, "leave some out"))
    if strange := [port for port in ports if not 0 <= port <= MAX_PORT]:
        what = f"{strange[0]} is no port; ports are 0 to {MAX_PORT}"
        raise UserError(Problem("--port", what, "0 takes any that is free"))
    bound: list[socket.socket] = []
    problems = []
    with ExitStack() as closing:
        for port in ports:
            try:
                bound.append(closing.enter_context(_bind(host, port)))
            except OSError as error:
                what = f"cannot listen there ({error.strerror or error})"
                problems.append(Problem(f"{host} port {port}", what, REMEDY))
        if problems and (need_all or not bound):
            raise UserError.of(problems)
        closing.pop_all()
    numbers = tuple(each.getsockname()[1] for each in bound)
    return Ports(host, tuple(bound), numbers, tuple(map(str, problems)))


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        opened.bind((host, port))
        opened.settimeout(0.0)
    except OSError:
        opened.close()
        raise
    return opened

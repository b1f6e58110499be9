"""The thread that receives: it stamps what comes and does nothing else."""

from __future__ import annotations

import selectors
import threading
from typing import TYPE_CHECKING

from bridge.clock.host import host_now

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from bridge.listen.streams import Streams

    Arrival = tuple[bytes, tuple[str, int], int, float]

PATIENCE_S = 0.1
"""How long it waits for a datagram before it looks whether it shall end."""

MAX_DATAGRAM_BYTES = 65536
MAX_AT_ONCE = 64
"""Datagrams read from one port before the others have their turn."""

CLOSE_S = 2.0


class Listener:
    """Receives on bound, non-blocking sockets between entering and leaving."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        streams: Streams,
        now: Callable[[], float] = host_now,
    ) -> None:
        self._sockets = tuple(sockets)
        self._streams = streams
        self._now = now
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for bound in self._sockets:
                selector.register(bound, selectors.EVENT_READ, bound.getsockname()[1])
            while not self._closing.is_set():
                ready = selector.select(PATIENCE_S)
                # Stamped first and read afterwards: reading takes longer than two datagrams lie
                # apart.
                waiting = [each for key, _ in ready for each in self._stamped(key)]
                for arrival in waiting:
                    self._streams.add(*arrival)

    def _stamped(self, key: selectors.SelectorKey) -> Iterator[Arrival]:
        """Yield what waits at one port, as `Streams.add` takes it."""
        bound: socket.socket = key.fileobj  # type: ignore[assignment]
        for _ in range(MAX_AT_ONCE):
            try:
                datagram, sender = bound.recvfrom(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                # Some systems report here that an interface went away; it may come back.
                self._closing.wait(PATIENCE_S)
                return
            yield datagram, sender[:2], key.data, self._now()

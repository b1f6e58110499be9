"""All streams that arrive here, and what arrived that is none: bounded for every sender."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.listen.recognition import recognise
from bridge.listen.stream import Key, Stream

if TYPE_CHECKING:
    from bridge.listen.sighting import Sighting
    from bridge.listen.stream import StreamReport

MAX_STREAMS = 64
"""Streams that are remembered: 16 subjects over four protocols."""

MAX_STREAMS_OF_HOST = 16
"""Streams of one host, so that one that makes up names leaves room for the others."""

MAX_HOSTS = 64
"""Hosts of which refused datagrams are told apart."""

FORGOTTEN_S = 10.0
"""A stream that was silent for as long makes room for another one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What came from a host and is no stream: how often, and why the last time."""

    host: str
    port: int
    count: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """All that arrived, at one moment; streams in the order in which they began."""

    streams: tuple[StreamReport, ...]
    refusals: tuple[Refusal, ...]
    datagrams: int
    refused: int
    """Datagrams, or parts of them, that belong to no stream, of all hosts."""


class Streams:
    """What arrived; one thread may `add` while others ask for a `report`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[Key, Stream] = {}
        self._refusals: dict[str, Refusal] = {}
        self._datagrams = 0
        self._refused = 0

    def add(self, datagram: bytes, sender: tuple[str, int], port: int, now_s: float) -> None:
        """Take in a datagram that came at host time `now_s` to our `port`; never raises."""
        host, sender_port = sender
        try:
            sightings = recognise(datagram)
        except ValueError as error:
            with self._lock:
                self._datagrams += 1
                self._refuse(host, port, str(error))
            return
        with self._lock:
            self._datagrams += 1
            for sighting in sightings:
                stream = self._stream(sighting, host, port, now_s)
                if stream is None:
                    self._refuse(host, port, "more subjects than can be shown")
                else:
                    stream.add(sighting, sender_port, now_s)

    def report(self, now_s: float) -> Report:
        """Return everything as it stands at host time `now_s`."""
        with self._lock:
            return Report(
                tuple(stream.report(now_s) for stream in self._streams.values()),
                tuple(self._refusals.values()),
                self._datagrams,
                self._refused,
            )

    def _stream(self, sighting: Sighting, host: str, port: int, now_s: float) -> Stream | None:
        key = Key(host, port, sighting.protocol, sighting.subject, sighting.device)
        if key in self._streams:
            return self._streams[key]
        of_host = [stream for stream in self._streams.values() if stream.key.host == host]
        if len(of_host) >= MAX_STREAMS_OF_HOST and not self._forget(of_host, now_s):
            return None
        if len(self._streams) >= MAX_STREAMS and not self._forget([*self._streams.values()], now_s):
            return None
        self._streams[key] = Stream(key)
        return self._streams[key]

    def _forget(self, streams: list[Stream], now_s: float) -> bool:
        """Forget the one of these that is silent longest, if that is long enough."""
        oldest = min(streams, key=lambda stream: stream.last_s)
        if now_s - oldest.last_s < FORGOTTEN_S:
            return False
        del self._streams[oldest.key]
        return True

    def _refuse(self, host: str, port: int, reason: str) -> None:
        self._refused += 1
        before = self._refusals.get(host)
        if before is None and len(self._refusals) >= MAX_HOSTS:
            return
        count = before.count + 1 if before else 1
        self._refusals[host] = Refusal(host, port, count, reason)

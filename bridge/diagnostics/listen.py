"""The `listen` command: its UDP ports, the receiving thread, and its picture or plain lines."""

from __future__ import annotations

import selectors
import socket
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from cstalk_bridge.dashboard.picture import BLOCKS, bar, milliseconds
from cstalk_bridge.diagnostics.streams import Streams
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.registry import OUTPUTS
from cstalk_bridge.system.addresses import bind
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, Worker
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from rich.console import Console

    from cstalk_bridge.dashboard.picture import Glyphs
    from cstalk_bridge.diagnostics.streams import (
        ListenReport,
        RejectedSender,
        StreamKey,
        StreamReport,
    )

    Arrival = tuple[bytes, tuple[str, int], int, float]


def stream_title(stream: StreamReport) -> str:
    """Return who sends what to where."""
    key = stream.key
    subject = key.subject or "(no subject)"
    ports = ", ".join(map(str, stream.senders))
    return f"{subject}  {key.protocol}  from {key.host}:{ports} to port {key.port}"


def stream_rate(stream: StreamReport) -> str:
    """Return the rate, how even it is, and where the sender is in time."""
    parts = [f"{stream.rate_hz:.1f} frames/s", f"jitter {milliseconds(stream.jitter)}"]
    if stream.timecode:
        parts.append(f"timecode {stream.timecode}")
    parts.append(f"{len(stream.curves)} curves")
    if stream.datagrams > stream.frames:
        parts.append(f"{stream.datagrams / max(stream.frames, 1):.1f} datagrams a frame")
    return "  ".join(parts)


def stream_losses(stream: StreamReport) -> str:
    """Return the counts of losses; empty when there are none."""
    counts = {
        "lost": stream.lost or 0,
        "late": stream.late,
        "repeated": stream.repeated,
        "restarts": stream.restarts,
    }
    return "  ".join(f"{count} {name}" for name, count in counts.items() if count)


def stream_advice(stream: StreamReport) -> str:
    """Return advice on the stream; empty when there is nothing."""
    parts = [stream.note] if stream.note else []
    if stream.is_silent:
        parts.append(f"silent for {stream.silent_s:.0f} s")
    if len(stream.senders) > 1:
        parts.append(f"{len(stream.senders)} senders: a receiver shows a mixture of them")
    return ", ".join(parts)


def rejection_line(rejected: RejectedSender) -> str:
    """Return the line of a sender whose datagrams are no frames."""
    return (
        f"{rejected.count} rejected from {rejected.host} to port {rejected.port}: {rejected.reason}"
    )


def nothing_received(host: str, ports: tuple[int, ...]) -> str:
    """Return what to do while nothing arrives."""
    places = ", ".join(map(str, ports))
    return (
        f"no datagram has arrived at {host}, port {places}: check the sender's target, "
        "and that the firewall lets UDP in there"
    )


STATUS_EVERY_S = 5.0
"""Time between two lines of a stream that has nothing new."""

CURVES = 4
"""Curves in a line: the strongest."""


class StreamLines:
    """Turns reports into lines, each thing once: pure apart from what it has printed already."""

    def __init__(self) -> None:
        self._printed_s: dict[StreamKey, float] = {}
        self._advice: dict[StreamKey, str] = {}
        self._rejected: dict[str, float] = {}

    def lines(self, report: ListenReport, now_s: float) -> list[str]:
        """Return what is new at `now_s`: streams that began or changed, rejected senders."""
        lines = []
        for stream in report.streams:
            kind = _kind(stream)
            is_new = self._advice.get(stream.key) != kind
            if is_new or now_s - self._printed_s[stream.key] >= STATUS_EVERY_S:
                lines.append(stream_line(stream))
                self._printed_s[stream.key] = now_s
                self._advice[stream.key] = kind
        for rejected in report.rejections:
            if now_s - self._rejected.get(rejected.host, -STATUS_EVERY_S) >= STATUS_EVERY_S:
                lines.append(rejection_line(rejected))
                self._rejected[rejected.host] = now_s
        return lines


def stream_line(stream: StreamReport) -> str:
    """Return everything of a stream in one line."""
    curves = "  ".join(f"{name} {value:.2f}" for name, value in stream.strongest(CURVES))
    parts = [
        stream_title(stream),
        stream_rate(stream),
        stream_losses(stream),
        stream_advice(stream),
        curves,
    ]
    return " | ".join(part for part in parts if part)


def _kind(stream: StreamReport) -> str:
    """Return what of a stream deserves a line of its own when it changes."""
    return f"{stream.is_silent} {stream.note} {len(stream.senders)}"


NAME_COLUMNS = 20
BAR_COLUMNS = 10
CELL_COLUMNS = NAME_COLUMNS + BAR_COLUMNS + 9
"""One curve: name, bar and value, with the space around them; two fit into 80 columns."""

MAX_CURVE_ROWS = 18
"""Rows of curves of one stream; 61 curves fit into three columns of a wide terminal."""

MAX_REJECTION_ROWS = 4


def draw(
    report: ListenReport,
    host: str,
    ports: Sequence[int],
    width: int,
    height: int,
    glyphs: Glyphs = BLOCKS,
) -> Text:
    """Return the picture: at most `height` lines of at most `width` columns."""
    rule = Text(glyphs.rule * width, "bright_black")
    header = Text(" listening ", "bold").append(f" {host}  ", "default")
    header.append(" ".join(map(str, ports)), "bold cyan")
    header.append(f"   {report.datagrams} datagrams   Ctrl-C ends", "bright_black")
    rejected = [
        Text(f" {rejection_line(each)}", "yellow")
        for each in sorted(report.rejections, key=lambda each: -each.count)[:MAX_REJECTION_ROWS]
    ]
    lines = [header]
    if not report.streams:
        lines += [rule, Text(f" {nothing_received(host, tuple(ports))}", "yellow")]
    room = height - len(lines) - len(rejected)
    rows = _curve_rows(len(report.streams), room)
    for stream in report.streams:
        lines += [rule, *_stream(stream, rows, width, glyphs)]
    lines = [*lines[: height - len(rejected)], *rejected]
    picture = [line.copy() for line in lines]
    for line in picture:
        line.truncate(width)
    return Text("\n", no_wrap=True, end="").join(picture)


def _curve_rows(streams: int, room: int) -> int:
    """Return how many rows of curves each stream may have below its rule and two lines."""
    return min(max(room // streams - 3, 0), MAX_CURVE_ROWS) if streams else 0


def _stream(stream: StreamReport, rows: int, width: int, glyphs: Glyphs) -> list[Text]:
    first = Text(f" {stream_title(stream)}", "bright_black" if stream.is_silent else "bold")
    first.append(f"  {stream_advice(stream)}", "yellow")
    second = Text(f" {stream_rate(stream)}", "default")
    second.append(f"  {stream_losses(stream)}", "red")
    if stream.lost == 0:
        second.append("  nothing lost", "green")
    return [first, second, *_curves(stream, rows, width, glyphs)]


def _curves(stream: StreamReport, rows: int, width: int, glyphs: Glyphs) -> list[Text]:
    columns = max(width // CELL_COLUMNS, 1)
    shown = stream.strongest(rows * columns)
    lines = []
    for start in range(0, len(shown), columns):
        line = Text()
        for name, value in shown[start : start + columns]:
            line.append(f" {_short(name):<{NAME_COLUMNS}} ", "default")
            line.append(bar(abs(value), BAR_COLUMNS, glyphs), "cyan" if value >= 0 else "magenta")
            line.append(f" {value:5.2f} ", "default")
        lines.append(line)
    return lines


def _short(name: str) -> str:
    return name.removeprefix("CTRL_expressions_")[:NAME_COLUMNS]


def default_ports() -> tuple[int, ...]:
    """Return the default ports of all protocols."""
    return tuple(sorted({protocol.default_port for protocol in OUTPUTS.values()}))


MAX_PORTS = 16
"""More ports are a mistake in a list."""

MAX_PORT = 65535

BUFFER_BYTES = 1 << 22
"""Asked of the system for each port: what comes while the terminal is drawn must not be lost."""

PORT_REMEDY = "close what receives there (Unreal itself?), or listen at another --port"


@dataclass(frozen=True, slots=True, eq=False)
class OpenPorts:
    """Bound sockets, and a sentence for every port that could not be had. Closed on leaving."""

    host: str
    sockets: tuple[socket.socket, ...]
    numbers: tuple[int, ...]
    """The ports of the sockets."""
    notices: tuple[str, ...]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for bound in self.sockets:
            bound.close()


def open_ports(host: str, ports: Sequence[int], *, need_all: bool) -> OpenPorts:
    """Bind `ports` (0 is any free one) of the address `host`, such as 0.0.0.0 or ::1.

    A port that is taken is noted, and listening goes on at the others; with `need_all`, or when
    none is left, it is a UserError, which names them all.
    """
    if len(ports) > MAX_PORTS:
        what = f"{len(ports)} ports, at most {MAX_PORTS} are possible"
        raise UserError(Problem("--port", what, "leave some out"))
    if strange := [port for port in ports if not 0 <= port <= MAX_PORT]:
        what = f"{strange[0]} is not a port; ports are 0 to {MAX_PORT}"
        raise UserError(Problem("--port", what, "0 takes any that is free"))
    bound: list[socket.socket] = []
    problems = []
    with ExitStack() as closing:
        for port in ports:
            try:
                opened = closing.enter_context(bind("udp", host, port))
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                opened.settimeout(0.0)
                bound.append(opened)
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or error
                what = f"cannot listen there ({reason})"
                problems.append(Problem(f"{host} port {port}", what, PORT_REMEDY))
        if problems and (need_all or not bound):
            raise UserError.of(problems)
        closing.pop_all()
    numbers = tuple(each.getsockname()[1] for each in bound)
    return OpenPorts(host, tuple(bound), numbers, tuple(map(str, problems)))


STOP_POLL_S = 0.1
"""How long it waits for a datagram before it looks whether it shall end."""

MAX_DATAGRAM_BYTES = 65536
MAX_AT_ONCE = 64
"""Datagrams read from one port before the others have their turn."""


class DatagramReceiver:
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
        self._worker = Worker("listener", self._run, timeout_s=STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for bound in self._sockets:
                selector.register(bound, selectors.EVENT_READ, bound.getsockname()[1])
            while not self._worker.is_stopping:
                ready = selector.select(STOP_POLL_S)
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
                self._worker.wait(STOP_POLL_S)
                return
            yield datagram, sender[:2], key.data, self._now()


REFRESH_S = 0.25
"""Time between two pictures."""

SWITCH_S = 0.0005
"""Time after which a thread that draws lets the one that stamps arrivals go on; Python's own 5 ms
would be seen as jitter."""


def listen(host: str, ports: Sequence[int], seconds: float | None, *, plain: bool) -> None:
    """Show what arrives at `ports` (the protocols' own if there are none) until Ctrl-C.

    After `seconds` it ends by itself, and having received nothing is a UserError then. Lines
    instead of a picture where `plain` is asked for or standard output is no terminal.
    """
    sys.setswitchinterval(SWITCH_S)
    with open_ports(host, ports or default_ports(), need_all=bool(ports)) as opened:
        for notice in opened.notices:
            print(notice, file=sys.stderr)
        streams = Streams()
        with DatagramReceiver(opened.sockets, streams):
            show = _show_plain if plain or not sys.stdout.isatty() else _show_picture
            try:
                show(streams, opened, seconds)
            except KeyboardInterrupt:
                # The ordinary way to end it: the summary is still printed.
                seconds = None
        _sum_up(streams, opened, must_receive=seconds is not None)


def _turns(seconds: float | None) -> Iterator[float]:
    """Yield host times, `REFRESH_S` apart, until `seconds` have passed."""
    start_s = host_now()
    never = threading.Event()
    while seconds is None or host_now() - start_s < seconds:
        never.wait(REFRESH_S)
        yield host_now()


def _show_plain(streams: Streams, opened: OpenPorts, seconds: float | None) -> None:
    print(f"listening on {opened.host} at port {', '.join(map(str, opened.numbers))}", flush=True)
    plain = StreamLines()
    for now_s in _turns(seconds):
        for line in plain.lines(streams.report(now_s), now_s):
            print(line, flush=True)


def _show_picture(streams: Streams, opened: OpenPorts, seconds: float | None) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for now_s in _turns(seconds):
            live.update(_picture(streams, opened, console, now_s), refresh=True)


def _picture(streams: Streams, opened: OpenPorts, console: Console, now_s: float) -> Text:
    from cstalk_bridge.dashboard.picture import ASCII, BLOCKS

    glyphs = ASCII if console.options.ascii_only else BLOCKS
    report = streams.report(now_s)
    return draw(report, opened.host, opened.numbers, console.width, console.height, glyphs)


def _sum_up(streams: Streams, opened: OpenPorts, *, must_receive: bool) -> None:
    report = streams.report(host_now())
    if not report.datagrams:
        if must_receive:
            raise UserError(Problem("listen", nothing_received(opened.host, opened.numbers)))
        print(nothing_received(opened.host, opened.numbers))
    for stream in report.streams:
        print(stream_line(stream))
    for rejected in report.rejections:
        print(rejection_line(rejected))

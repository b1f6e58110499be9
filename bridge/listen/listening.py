"""Listening: ports, the thread that receives, and the picture or the lines, until it is over."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from bridge.clock.host import host_now
from bridge.errors import Problem, UserError
from bridge.listen.listener import Listener
from bridge.listen.plain import PlainReport, stream_line
from bridge.listen.ports import DEFAULT_PORTS, open_ports
from bridge.listen.streams import Streams
from bridge.listen.words import nothing_heard, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.text import Text

    from bridge.listen.ports import Ports

REFRESH_S = 0.25
"""Time between two pictures."""

SWITCH_S = 0.0005
"""Time after which a thread that draws lets the one that stamps arrivals go on; Python's own 5 ms
would be seen as jitter."""


def listen(host: str, ports: Sequence[int], seconds: float | None, *, plain: bool) -> None:
    """Show what arrives at `ports` (the protocols' own if there are none) until Ctrl-C.

    After `seconds` it ends by itself, and not having heard anything is a UserError then. Lines
    instead of a picture where `plain` is asked for or standard output is no terminal.
    """
    sys.setswitchinterval(SWITCH_S)
    with open_ports(host, ports or DEFAULT_PORTS, need_all=bool(ports)) as opened:
        for notice in opened.notices:
            print(notice, file=sys.stderr)
        streams = Streams()
        with Listener(opened.sockets, streams):
            show = _show_plain if plain or not sys.stdout.isatty() else _show_picture
            try:
                show(streams, opened, seconds)
            except KeyboardInterrupt:
                # The ordinary way to end it: what was heard is still told.
                seconds = None
        _sum_up(streams, opened, must_hear=seconds is not None)


def _turns(seconds: float | None) -> Iterator[float]:
    """Yield host times, `REFRESH_S` apart, until `seconds` have passed."""
    start_s = host_now()
    never = threading.Event()
    while seconds is None or host_now() - start_s < seconds:
        never.wait(REFRESH_S)
        yield host_now()


def _show_plain(streams: Streams, opened: Ports, seconds: float | None) -> None:
    print(f"listening on {opened.host} at port {', '.join(map(str, opened.numbers))}", flush=True)
    plain = PlainReport()
    for now_s in _turns(seconds):
        for line in plain.lines(streams.report(now_s), now_s):
            print(line, flush=True)


def _show_picture(streams: Streams, opened: Ports, seconds: float | None) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for now_s in _turns(seconds):
            live.update(_picture(streams, opened, console, now_s), refresh=True)


def _picture(streams: Streams, opened: Ports, console: Console, now_s: float) -> Text:
    from bridge.listen.view import draw
    from bridge.monitor.glyphs import ASCII, BLOCKS

    glyphs = ASCII if console.options.ascii_only else BLOCKS
    report = streams.report(now_s)
    return draw(report, opened.host, opened.numbers, console.width, console.height, glyphs)


def _sum_up(streams: Streams, opened: Ports, *, must_hear: bool) -> None:
    report = streams.report(host_now())
    if not report.datagrams:
        if must_hear:
            raise UserError(Problem("listen", nothing_heard(opened.host, opened.numbers)))
        print(nothing_heard(opened.host, opened.numbers))
    for stream in report.streams:
        print(stream_line(stream))
    for refused in report.refusals:
        print(refusal(refused))

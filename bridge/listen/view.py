"""The picture of a listening terminal: a report in, styled lines out, as many as there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from bridge.listen.words import advice, arrival, losses, nothing_heard, refusal, title
from bridge.monitor.glyphs import BLOCKS, bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.listen.stream import StreamReport
    from bridge.listen.streams import Report
    from bridge.monitor.glyphs import Glyphs

NAME_COLUMNS = 20
BAR_COLUMNS = 10
CELL_COLUMNS = NAME_COLUMNS + BAR_COLUMNS + 9
"""One curve: name, bar and value, with the space around them; two fit into 80 columns."""

MAX_CURVE_ROWS = 18
"""Rows of curves of one stream; 61 curves fit into three columns of a wide terminal."""

MAX_REFUSAL_ROWS = 4


def draw(
    report: Report,
    host: str,
    ports: Sequence[int],
    width: int,
    height: int,
    glyphs: Glyphs = BLOCKS,
) -> Text:
    """Return the picture: at most `height` lines of at most `width` columns."""
    rule = Text(glyphs.rule * width, "bright_black")
    heard = Text(" listening ", "bold").append(f" {host}  ", "default")
    heard.append(" ".join(map(str, ports)), "bold cyan")
    heard.append(f"   {report.datagrams} datagrams   Ctrl-C ends", "bright_black")
    refused = [
        Text(f" {refusal(each)}", "yellow")
        for each in sorted(report.refusals, key=lambda each: -each.count)[:MAX_REFUSAL_ROWS]
    ]
    lines = [heard]
    if not report.streams:
        lines += [rule, Text(f" {nothing_heard(host, tuple(ports))}", "yellow")]
    room = height - len(lines) - len(refused)
    rows = _curve_rows(len(report.streams), room)
    for stream in report.streams:
        lines += [rule, *_stream(stream, rows, width, glyphs)]
    lines = [*lines[: height - len(refused)], *refused]
    picture = [line.copy() for line in lines]
    for line in picture:
        line.truncate(width)
    return Text("\n", no_wrap=True, end="").join(picture)


def _curve_rows(streams: int, room: int) -> int:
    """Return how many rows of curves each stream may have below its rule and two lines."""
    return min(max(room // streams - 3, 0), MAX_CURVE_ROWS) if streams else 0


def _stream(stream: StreamReport, rows: int, width: int, glyphs: Glyphs) -> list[Text]:
    first = Text(f" {title(stream)}", "bright_black" if stream.is_silent else "bold")
    first.append(f"  {advice(stream)}", "yellow")
    second = Text(f" {arrival(stream)}", "default")
    second.append(f"  {losses(stream)}", "red")
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

"""The dashboard's picture: metrics in, styled lines out, as many as the terminal has."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Protocol

from rich.text import Text

from bridge.monitor.glyphs import BLOCKS
from bridge.monitor.plain import take, time_status, timecode_label
from bridge.monitor.subject_view import (
    FULL_ROWS,
    SHORT_ROWS,
    brief_view,
    full_view,
    milliseconds,
    short_view,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.monitor.glyphs import Glyphs
    from bridge.monitor.metrics import Metrics, Notice, SubjectMetrics

    Form = Callable[[Metrics, SubjectMetrics, float, Glyphs], list[Text]]


class Guide(Protocol):
    """What is said of keys: whom they concern, and the lines that list them."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    @property
    def lines(self) -> list[str]: ...  # noqa: D102 - see the class


MAX_NOTICE_ROWS = 6
"""Rows for the newest notices, below the subjects."""

NOTICE_COLUMNS = 10
"""Columns for a notice's age, before its words."""


def draw(
    metrics: Metrics,
    now_s: float,
    width: int,
    height: int,
    glyphs: Glyphs = BLOCKS,
    guide: Guide | None = None,
) -> Text:
    """Return the picture at host time `now_s`: at most `height` lines of at most `width` columns.

    The more room each subject has, the more is said of it. The last lines are those of the `guide`.
    """
    rule = Text(glyphs.rule * width, "bright_black")
    last = _guide_rows(metrics, guide) if guide else []
    height = max(height - len(last), 0)
    lines = _header(metrics, now_s)
    form = _form(metrics, height - len(lines))
    for subject in metrics.subjects:
        lines += [rule, *form(metrics, subject, now_s, glyphs)]
    room = min(MAX_NOTICE_ROWS, height - len(lines) - 1)
    if room > 0 and (notices := metrics.notices()):
        rows = [row for notice in notices for row in _notice_rows(notice, now_s, width)]
        lines += [rule, *rows[-room:]]
    lines = lines[:height]
    if last:
        lines += [Text("")] * (height - len(lines))
    picture = [line.copy() for line in (*lines, *last)]
    for line in picture:
        line.truncate(width)
    return Text("\n", no_wrap=True, end="").join(picture)


def _form(metrics: Metrics, height: int) -> Form:
    """Return the longest view with which all subjects fit."""
    full_rows = sum(FULL_ROWS + len(subject.links) + 2 for subject in metrics.subjects)
    if full_rows <= height:
        return full_view
    if len(metrics.subjects) * (SHORT_ROWS + 1) <= height:
        return short_view
    return brief_view


def _header(metrics: Metrics, now_s: float) -> list[Text]:
    first = Text(" CSTalk Bridge ", "bold").append(f" {timecode_label(metrics)} ", "bold cyan")
    lookaheads = "/".join(
        f"{ms}" for ms in dict.fromkeys(subject.lookahead_ms for subject in metrics.subjects)
    )
    first.append(f" {metrics.rate} fps   look-ahead {lookaheads} ms", "default")
    first.append(f"   {buffer_status(metrics, now_s)}   {metrics.device}", "default")
    second = Text(" ticks late ", "bright_black").append(
        milliseconds(metrics.tick_lateness.spread()), "default"
    )
    second.append("   inference ", "bright_black")
    second.append(f"{milliseconds(metrics.inference.spread())} of 20", "default")
    second.append("   Ctrl-C ends", "bright_black")
    time, recording = time_status(metrics, now_s), take(metrics)
    if not time and not recording and not metrics.priority:
        return [first, second]
    third = Text(" time ", "bright_black").append(time or "the host clock's", "default")
    if metrics.priority:
        third.append("   priority ", "bright_black").append(metrics.priority, "default")
    return [first, second, third.append(f"   {recording}" if recording else "", "bold red")]


def buffer_status(metrics: Metrics, now_s: float) -> str:
    """Return the buffer, where it is adaptive the longest of all subjects as it is now."""
    if metrics.buffer_ms is not None:
        return f"buffer {metrics.buffer_ms:g} ms"
    longest_s = max(subject.buffer_at(now_s) for subject in metrics.subjects)
    return f"buffer auto {1e3 * longest_s:.0f} ms"


def _guide_rows(metrics: Metrics, guide: Guide) -> list[Text]:
    """Return the lines about the keys; the first names the subject, where there are several."""
    rows = [Text(f" {line}", "bright_black") for line in guide.lines]
    if len(metrics.subjects) > 1:
        rows[0] = Text(f" {guide.name} ", "reverse").append(f" {guide.lines[0]}", "bright_black")
    return rows


def _notice_rows(notice: Notice, now_s: float, width: int) -> list[Text]:
    words = f"{notice.subject}: {notice.text}" if notice.subject else notice.text
    age = _ago(now_s - notice.time_s).rjust(NOTICE_COLUMNS - 1)
    rows = wrap(words, max(width - NOTICE_COLUMNS, NOTICE_COLUMNS)) or [""]
    return [
        Text(" " * NOTICE_COLUMNS if place else f"{age} ", "bright_black").append(row, "default")
        for place, row in enumerate(rows)
    ]


def _ago(age_s: float) -> str:
    if age_s < 60:
        return f"{max(age_s, 0):.0f} s ago"
    return f"{age_s / 60:.0f} min" if age_s < 3600 else f"{age_s / 3600:.0f} h"

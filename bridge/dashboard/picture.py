"""Draws the dashboard: turns metrics into styled lines, as many as the terminal has."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Protocol

import numpy as np
from rich.text import Text

from cstalk_bridge.models.board import CHANNELS
from cstalk_bridge.models.timing import HOP_MS
from cstalk_bridge.monitor.health import HealthState, Lamp, health, lamps
from cstalk_bridge.monitor.metrics import LATENCY_PARTS
from cstalk_bridge.monitor.status_lines import (
    config_status,
    log_status,
    take_status,
    time_status,
    timecode_label,
)
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.rig.curves import neutral_board

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from cstalk_bridge.monitor.metrics import LinkMetrics, Metrics, Notice, Spread, SubjectMetrics


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Characters of bars and rules; `parts` fill a cell in steps, the last one completely."""

    parts: str
    empty: str
    rule: str


BLOCKS = Glyphs("▏▎▍▌▋▊▉█", "·", "─")
ASCII = Glyphs("#", ".", "-")


def bar(share: float, columns: int, glyphs: Glyphs) -> str:
    """Return a bar of `columns` cells, filled by `share`, 0..1."""
    steps = len(glyphs.parts)
    filled = round(min(max(share, 0.0), 1.0) * columns * steps)
    whole, rest = divmod(filled, steps)
    drawn = glyphs.parts[-1] * whole + (glyphs.parts[rest - 1] if rest else "")
    return drawn.ljust(columns, glyphs.empty)


FLOOR_DB = -60.0
"""Level at the left end of the level bar: the noise of a quiet room."""

LABEL_COLUMNS = 10
BAR_COLUMNS = 24
NAME_COLUMNS = 20
CURVE_ROWS = 3
ADVICE_COLUMNS = 68
"""Columns of the advice below a link, so that it is read whole in a terminal of 80."""
SHORT_ROWS = 4

LAMPS: dict[Lamp, str] = {
    Lamp.MUTED: "bold black on yellow",
    Lamp.PAUSED: "bold black on yellow",
    Lamp.REC: "bold white on red",
}

LEAST_LATE_MS = 1.0
"""Lateness of the sound from which it is shown."""

LEAST_WEIGHT = 0.005
"""Smallest weight of an emotion that is shown."""

BADGES: dict[HealthState, str] = {
    HealthState.OK: "bold black on green",
    HealthState.STARTING: "bold black on cyan",
    HealthState.ENDED: "bold black on cyan",
    HealthState.SILENT: "bold black on yellow",
    HealthState.BEHIND: "bold white on red",
    HealthState.NO_RECEIVER: "bold white on red",
    HealthState.NOT_SENT: "bold white on red",
    HealthState.NO_INPUT: "bold white on red",
    HealthState.WAITING: "bold white on red",
}


LINK_LAMPS: dict[Delivery, str] = {
    Delivery.LISTENING: "green",
    Delivery.SENT: "bright_black",
    Delivery.IDLE: "bold black on yellow",
    Delivery.NO_RECEIVER: "bold white on red",
    Delivery.NOT_SENT: "bold white on red",
}
"""Styles of the lamp beside a link."""


OF_LINKS = frozenset({HealthState.NO_RECEIVER, HealthState.NOT_SENT})
"""States whose advice stands beside a link."""


def full_view(
    metrics: Metrics, subject: SubjectMetrics, now_s: float, glyphs: Glyphs
) -> list[Text]:
    """Return all details of a subject; what is wrong with a link stands in lines below the link."""
    return [
        _title(metrics, subject, now_s, OF_LINKS),
        _labelled("input").append(subject.input_name or "opening ...").append(_gate(subject)),
        _labelled("level").append(_level(subject, glyphs)),
        _labelled("emotion").append(_emotion(subject, now_s)),
        *_curve_rows(subject, glyphs),
        *_latency_rows(subject),
        *(row for link in subject.links for row in _link_rows(link, now_s)),
        *_passthrough_rows(subject),
        _labelled("lost").append(_losses(subject)),
    ]


def short_view(
    metrics: Metrics, subject: SubjectMetrics, now_s: float, glyphs: Glyphs
) -> list[Text]:
    """Return the main details of a subject: `SHORT_ROWS` lines."""
    curves = [f"{name} {value:.2f}" for name, value in top_curves(subject, CURVE_ROWS)]
    level = _labelled("input").append(_level(subject, glyphs)).append(_gate(subject))
    return [
        _title(metrics, subject, now_s),
        level.append(f"  {subject.input_name}", "bright_black"),
        _labelled("face").append(_emotion(subject, now_s)).append("  ").append("  ".join(curves)),
        _labelled("output").append(_speed(subject, now_s)),
    ]


def brief_view(
    metrics: Metrics, subject: SubjectMetrics, now_s: float, glyphs: Glyphs
) -> list[Text]:
    """Return the state of a subject: two lines."""
    level = _level(subject, glyphs, columns=8)
    return [
        _title(metrics, subject, now_s),
        _labelled("").append(level).append("  ").append(_speed(subject, now_s)),
    ]


def top_curves(subject: SubjectMetrics, number: int) -> list[tuple[str, float]]:
    """Return the board channels furthest from rest and their values, without the `CTRL_`."""
    strengths = np.abs(subject.board - neutral_board())
    order = np.argsort(-strengths, kind="stable")[:number]
    return [
        (CHANNELS[index].name.removeprefix("CTRL_"), float(subject.board[index]))
        for index in order
        if strengths[index] >= 0.005
    ]


def milliseconds(spread: Spread | None) -> str:
    """Return median and 99th percentile, as `3.1 ms (p99 4.2)`; `-` without measurements."""
    if spread is None:
        return "-"
    return f"{1000 * spread.median_s:.1f} ms (p99 {1000 * spread.p99_s:.1f})"


def _labelled(label: str) -> Text:
    return Text(f" {label}".ljust(LABEL_COLUMNS), "bright_black", end="")


def _title(
    metrics: Metrics,
    subject: SubjectMetrics,
    now_s: float,
    explained: Collection[HealthState] = (),
) -> Text:
    """Return name, state, lamps and advice; states in `explained` have theirs elsewhere."""
    found = health(metrics, subject, now_s)
    name = subject.name
    if len(name) > NAME_COLUMNS:
        name = name[: NAME_COLUMNS - 3] + "..."
    title = Text(f" {name} ", "bold").append(f" {found.state.value} ", BADGES[found.state])
    for lamp in lamps(metrics, subject):
        title.append(" ").append(f" {lamp.value} ", LAMPS[lamp])
    return title if found.state in explained else title.append(f"  {found.advice}", "yellow")


def _level(subject: SubjectMetrics, glyphs: Glyphs, columns: int = BAR_COLUMNS) -> Text:
    style = "red" if subject.is_clipping else "green" if subject.gate_open else "bright_black"
    text = Text(bar(1.0 - subject.level_db / FLOOR_DB, columns, glyphs), style)
    if subject.last_hop_s is None:
        return text
    text.append(f" {max(subject.level_db, -99.0):4.0f} dB", "default")
    if subject.is_clipping:
        text.append("  CLIPS: lower gain_db", "bold red")
    return text


def _gate(subject: SubjectMetrics) -> Text:
    return Text("  gate open" if subject.gate_open else "  gate closed", "bright_black")


def _emotion(subject: SubjectMetrics, now_s: float) -> Text:
    weights = subject.emotion_at(now_s).items()
    mix = ", ".join(f"{name} {weight:.2f}" for name, weight in weights if weight >= LEAST_WEIGHT)
    return Text(mix or "neutral", "magenta")


def _curve_rows(subject: SubjectMetrics, glyphs: Glyphs) -> list[Text]:
    curves = top_curves(subject, CURVE_ROWS)
    rows = []
    for row in range(CURVE_ROWS):
        text = _labelled("" if row else "face")
        if row < len(curves):
            name, value = curves[row]
            text.append(bar(abs(value), BAR_COLUMNS, glyphs), "cyan")
            text.append(f" {value:5.2f}  {name}", "default")
        rows.append(text)
    return rows


def _latency_rows(subject: SubjectMetrics) -> list[Text]:
    """Return names, medians and 99th percentiles, one column per part."""
    spreads = {part: ring.spread() for part, ring in subject.latency.items()}
    spreads["total"] = subject.total.spread()
    names, medians, worst = _labelled("latency"), _labelled("  median"), _labelled("  p99")
    for part in (*LATENCY_PARTS, "total"):
        width, style = max(len(part), 5) + 3, "bold" if part == "total" else "default"
        spread = spreads[part]
        names.append(part.rjust(width), "bright_black")
        medians.append((f"{1000 * spread.median_s:.1f}" if spread else "-").rjust(width), style)
        worst.append((f"{1000 * spread.p99_s:.1f}" if spread else "-").rjust(width), style)
    return [names.append("  ms", "bright_black"), medians, worst]


def _link_rows(link: LinkMetrics, now_s: float) -> list[Text]:
    row = _labelled("output").append(f"{link.packets.per_second(now_s):6.1f} /s", "default")
    row.append(f"  {link.counters.name}  ", "default")
    status = link.status(now_s)
    lamp = f" {status.delivery.value} " if status.advice else status.delivery.value
    row.append(lamp, LINK_LAMPS[status.delivery])
    if failed := link.failures.lost:
        row.append(f"  {failed} not sent", "red")
    advice = wrap(status.advice, ADVICE_COLUMNS)
    return [row, *(_labelled("").append(line, "yellow") for line in advice)]


def _passthrough_rows(subject: SubjectMetrics) -> list[Text]:
    """Return the line of the audio passthrough, if the subject has one."""
    played = subject.passthrough
    if played is None:
        return []
    row = _labelled("sound")
    if played.fault:
        return [row.append(f"{played.device}: {played.fault}", "red")]
    row.append(f"{played.total_delay_ms:6.0f} ms", "default")
    row.append(f"  ({played.delay_ms:+.0f} set)" if played.delay_ms else "", "default")
    row.append(f"  {played.device}", "default")
    if played.late_ms >= LEAST_LATE_MS:
        row.append(f"  {played.late_ms:.0f} ms late: raise lookahead_ms", "red")
    gaps = [(played.underruns, "gaps"), (played.jumps, "jumps")]
    row.append("".join(f"  {number} {what}" for number, what in gaps if number), "yellow")
    return [row]


def _losses(subject: SubjectMetrics) -> Text:
    lost = subject.losses
    if not lost:
        return Text("nothing", "default")
    return Text(", ".join(f"{number} {cause}" for cause, number in lost.items()), "yellow")


def _speed(subject: SubjectMetrics, now_s: float) -> Text:
    packets = sum(link.packets.per_second(now_s) for link in subject.links)
    text = Text(
        f"{packets:.1f} packets/s  {milliseconds(subject.total.spread())}  lost ", "default"
    )
    return text.append(_losses(subject))


if TYPE_CHECKING:
    Form = Callable[[Metrics, SubjectMetrics, float, Glyphs], list[Text]]


class KeyGuide(Protocol):
    """The help on keys: the subject on which they act, and the lines that list them."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class

    @property
    def lines(self) -> list[str]: ...  # noqa: D102 - see the class


MAX_NOTICE_ROWS = 6
"""Most rows of notices, below the subjects."""

NOTICE_COLUMNS = 10
"""Columns of a notice's age, before its text."""


def draw(
    metrics: Metrics,
    now_s: float,
    width: int,
    height: int,
    glyphs: Glyphs = BLOCKS,
    guide: KeyGuide | None = None,
) -> Text:
    """Return the dashboard at host time `now_s`: at most `height` lines of at most `width` columns.

    The views of subjects are as detailed as fits; the last lines are those of the `guide`.
    """
    rule = Text(glyphs.rule * width, "bright_black")
    last = _guide_rows(metrics, guide) if guide else []
    height = max(height - len(last), 0)
    lines = _header(metrics, now_s)
    form = _form(metrics, height - len(lines), now_s)
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


def _form(metrics: Metrics, height: int, now_s: float) -> Form:
    """Return the most detailed view with which all subjects fit."""
    full_rows = (
        1 + len(full_view(metrics, subject, now_s, BLOCKS)) for subject in metrics.subjects
    )
    if sum(full_rows) <= height:
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
    second.append(f"{milliseconds(metrics.inference.spread())} of {HOP_MS}", "default")
    second.append("   Ctrl-C quits", "bright_black")
    time, recording = time_status(metrics, now_s), take_status(metrics)
    log = "   ".join(filter(None, (log_status(metrics), config_status(metrics))))
    if not (time or recording or log or metrics.priority):
        return [first, second]
    third = Text(" time ", "bright_black").append(time or "host clock", "default")
    if metrics.priority:
        third.append("   priority ", "bright_black").append(metrics.priority, "default")
    third.append(f"   {log}" if log else "", "bold yellow")
    return [first, second, third.append(f"   {recording}" if recording else "", "bold red")]


def buffer_status(metrics: Metrics, now_s: float) -> str:
    """Return the buffer; if it is adaptive, the longest one of all subjects now."""
    if metrics.buffer_ms is not None:
        return f"buffer {metrics.buffer_ms:g} ms"
    longest_s = max(subject.buffer_at(now_s) for subject in metrics.subjects)
    return f"buffer auto {1e3 * longest_s:.0f} ms"


def _guide_rows(metrics: Metrics, guide: KeyGuide) -> list[Text]:
    """Return the lines about the keys; with several subjects the first line names theirs."""
    rows = [Text(f" {line}", "bright_black") for line in guide.lines]
    if len(metrics.subjects) > 1:
        rows[0] = Text(f" {guide.name} ", "reverse").append(f" {guide.lines[0]}", "bright_black")
    return rows


def _notice_rows(notice: Notice, now_s: float, width: int) -> list[Text]:
    text = f"{notice.subject}: {notice.text}" if notice.subject else notice.text
    age = _ago(now_s - notice.time_s).rjust(NOTICE_COLUMNS - 1)
    rows = wrap(text, max(width - NOTICE_COLUMNS, NOTICE_COLUMNS)) or [""]
    return [
        Text(" " * NOTICE_COLUMNS if place else f"{age} ", "bright_black").append(row, "default")
        for place, row in enumerate(rows)
    ]


def _ago(age_s: float) -> str:
    if age_s < 60:
        return f"{max(age_s, 0):.0f} s ago"
    return f"{age_s / 60:.0f} min" if age_s < 3600 else f"{age_s / 3600:.0f} h"

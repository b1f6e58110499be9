"""One subject on the dashboard, in three lengths: everything, four lines, two lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.text import Text

from bridge.frame import neutral_board
from bridge.monitor.glyphs import bar
from bridge.monitor.health import Lamp, State, health, lamps
from bridge.monitor.metrics import PARTS
from models.board import CHANNELS

if TYPE_CHECKING:
    from bridge.monitor.glyphs import Glyphs
    from bridge.monitor.link_metrics import LinkMetrics
    from bridge.monitor.metrics import Metrics, SubjectMetrics
    from bridge.monitor.rings import Spread

FLOOR_DB = -60.0
"""The left end of the level bar; the noise of a quiet room."""

LABEL_COLUMNS = 10
BAR_COLUMNS = 24
NAME_COLUMNS = 20
CURVE_ROWS = 3
FULL_ROWS = 7 + CURVE_ROWS
"""Lines of a full view without its links: title, input, level, emotion, curves, latency."""
SHORT_ROWS = 4

LAMPS: dict[Lamp, str] = {
    Lamp.MUTED: "bold black on yellow",
    Lamp.PAUSED: "bold black on yellow",
    Lamp.REC: "bold white on red",
}

LEAST_WEIGHT = 0.005
"""Weight of an emotion which is shown."""

BADGES: dict[State, str] = {
    State.OK: "bold black on green",
    State.STARTING: "bold black on cyan",
    State.ENDED: "bold black on cyan",
    State.SILENT: "bold black on yellow",
    State.BEHIND: "bold white on red",
    State.NOT_SENT: "bold white on red",
    State.NO_INPUT: "bold white on red",
}


def full_view(
    metrics: Metrics, subject: SubjectMetrics, now_s: float, glyphs: Glyphs
) -> list[Text]:
    """Return everything there is: `FULL_ROWS` lines, one per link and one of losses."""
    return [
        _title(metrics, subject, now_s),
        _labelled("input").append(subject.input_name or "opening ...").append(_gate(subject)),
        _labelled("level").append(_level(subject, glyphs)),
        _labelled("emotion").append(_emotion(subject, now_s)),
        *_curve_rows(subject, glyphs),
        *_latency_rows(subject),
        *(_link_row(link, now_s) for link in subject.links),
        _labelled("lost").append(_losses(subject)),
    ]


def short_view(
    metrics: Metrics, subject: SubjectMetrics, now_s: float, glyphs: Glyphs
) -> list[Text]:
    """Return `SHORT_ROWS` lines."""
    curves = [f"{name} {value:.2f}" for name, value in top_curves(subject, CURVE_ROWS)]
    level = _labelled("input").append(_level(subject, glyphs)).append(_gate(subject))
    return [
        _title(metrics, subject, now_s),
        level.append(f"  {subject.input_name}", "bright_black"),
        _labelled("face").append(_emotion(subject, now_s)).append("  ").append("  ".join(curves)),
        _labelled("sends").append(_speed(subject, now_s)),
    ]


def brief_view(
    metrics: Metrics, subject: SubjectMetrics, now_s: float, glyphs: Glyphs
) -> list[Text]:
    """Return two lines."""
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
    """Return median and 99th percentile, as in `3.1 ms (p99 4.2)`; `-` when nothing is measured."""
    if spread is None:
        return "-"
    return f"{1000 * spread.median_s:.1f} ms (p99 {1000 * spread.p99_s:.1f})"


def _labelled(label: str) -> Text:
    return Text(f" {label}".ljust(LABEL_COLUMNS), "bright_black", end="")


def _title(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> Text:
    found = health(metrics, subject, now_s)
    name = subject.name
    if len(name) > NAME_COLUMNS:
        name = name[: NAME_COLUMNS - 3] + "..."
    title = Text(f" {name} ", "bold").append(f" {found.state.value} ", BADGES[found.state])
    for lamp in lamps(metrics, subject):
        title.append(" ").append(f" {lamp.value} ", LAMPS[lamp])
    return title.append(f"  {found.advice}", "yellow")


def _level(subject: SubjectMetrics, glyphs: Glyphs, columns: int = BAR_COLUMNS) -> Text:
    style = "red" if subject.peak_db > -1.0 else "green" if subject.gate_open else "bright_black"
    text = Text(bar(1.0 - subject.level_db / FLOOR_DB, columns, glyphs), style)
    if subject.heard_s is None:
        return text
    text.append(f" {max(subject.level_db, -99.0):4.0f} dB", "default")
    if subject.peak_db > -1.0:
        text.append("  CLIPS: lower gain_db", "bold red")
    return text


def _gate(subject: SubjectMetrics) -> Text:
    return Text("  gate open" if subject.gate_open else "  gate shut", "bright_black")


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
    """Return names, medians and 99th percentiles, one column a part."""
    spreads = {part: ring.spread() for part, ring in subject.latency.items()}
    spreads["all"] = subject.total.spread()
    names, medians, worst = _labelled("latency"), _labelled("  median"), _labelled("  p99")
    for part in (*PARTS, "all"):
        width, style = max(len(part), 5) + 3, "bold" if part == "all" else "default"
        spread = spreads[part]
        names.append(part.rjust(width), "bright_black")
        medians.append((f"{1000 * spread.median_s:.1f}" if spread else "-").rjust(width), style)
        worst.append((f"{1000 * spread.p99_s:.1f}" if spread else "-").rjust(width), style)
    return [names.append("  ms", "bright_black"), medians, worst]


def _link_row(link: LinkMetrics, now_s: float) -> Text:
    row = _labelled("sends").append(f"{link.packets.per_second(now_s):6.1f} /s", "default")
    row.append(f"  {link.counters.name}", "default")
    if link.counters.failed:
        row.append(f"  {link.counters.failed} refused", "red")
    return row


def _losses(subject: SubjectMetrics) -> Text:
    lost = [(cause, rate.total) for cause, rate in subject.drops.items() if rate.total]
    if not lost:
        return Text("nothing", "default")
    return Text(", ".join(f"{number} {cause}" for cause, number in lost), "yellow")


def _speed(subject: SubjectMetrics, now_s: float) -> Text:
    packets = sum(link.packets.per_second(now_s) for link in subject.links)
    text = Text(
        f"{packets:.1f} packets/s  {milliseconds(subject.total.spread())}  lost ", "default"
    )
    return text.append(_losses(subject))

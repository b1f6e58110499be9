"""What is wrong with a subject, in one word, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from textwrap import shorten
from typing import TYPE_CHECKING

from bridge.audio.source import SourceState
from models.timing import HOP_S

if TYPE_CHECKING:
    from bridge.monitor.metrics import Metrics, SubjectMetrics

NAME_COLUMNS = 24
"""Of a device's name in a sentence that must fit on a line."""

STALL_S = 1.0
"""Without a hop for this long, no sound arrives."""

PAUSE_S = 5.0
"""A speaker's pause; after it a silence is worth a word."""

DIGITAL_SILENCE_DB = -90.0
"""Below the noise of any microphone and its converter: it is muted or not connected."""

TOLERATED_LOSSES = 2
"""Losses of one cause in two seconds which nobody sees."""


class State(Enum):
    """The word for a subject, worst last."""

    OK = "OK"
    STARTING = "STARTING"
    ENDED = "ENDED"
    MUTED = "MUTED"
    PAUSED = "PAUSED"
    SILENT = "SILENT"
    LATE = "LATE"
    NOT_SENT = "NOT SENT"
    NO_INPUT = "NO INPUT"


@dataclass(frozen=True, slots=True)
class Health:
    """A state, and one sentence with its cause and remedy; no sentence when all is well."""

    state: State
    advice: str = ""


def health(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> Health:
    """Judge a subject by the last few seconds: the worst thing first."""
    return (
        _input_health(subject, now_s)
        or _link_health(subject, now_s)
        or _late_health(metrics, subject, now_s)
        or _silence_health(subject, now_s)
        or Health(State.OK)
    )


def _input_health(subject: SubjectMetrics, now_s: float) -> Health | None:
    name = shorten(subject.input_name, NAME_COLUMNS, placeholder="...") or "the input"
    match subject.input_state:
        case None:
            return Health(State.STARTING)
        case SourceState.ENDED:
            return Health(State.ENDED, f"{name} is over")
        case SourceState.LOST:
            return Health(State.NO_INPUT, f"{name} is gone; plug it in again")
        case SourceState.RUNNING if subject.heard_s is None:
            return Health(State.STARTING)
        case SourceState.RUNNING if now_s - subject.heard_s > STALL_S:
            stalled_s = now_s - subject.heard_s
            advice = f"no sound from {name} for {stalled_s:.0f} s; check its cable"
            return Health(State.NO_INPUT, advice)
        case _:
            return None


def _link_health(subject: SubjectMetrics, now_s: float) -> Health | None:
    for link in subject.links:
        if link.failures.recent(now_s):
            reason = link.last_error or "refused"
            advice = f"{link.counters.name}: {reason}; check the address and the network"
            return Health(State.NOT_SENT, advice)
    return None


def _late_health(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> Health | None:
    losses = {cause: rate.recent(now_s) for cause, rate in subject.drops.items()}
    worst = max(("hops", "blocks", "late", "ticks"), key=losses.__getitem__)
    if losses[worst] <= TOLERATED_LOSSES:
        return None
    inference = metrics.inference.spread()
    if inference and inference.median_s > HOP_S:
        took_ms = 1000 * inference.median_s
        return Health(
            State.LATE,
            f"inference takes {took_ms:.0f} of 20 ms; use a GPU or fewer subjects",
        )
    if worst == "late":
        advice = f"faces come after their tick; raise buffer_ms, now {metrics.buffer_ms:g}"
    else:
        advice = f"{losses[worst]} {worst} lost in 2 s; close other programs"
    return Health(State.LATE, advice)


def _silence_health(subject: SubjectMetrics, now_s: float) -> Health | None:
    if subject.is_paused:
        return Health(State.PAUSED, "its face halts")
    if subject.is_muted:
        return Health(State.MUTED, "its voice is not heard")
    if subject.voiced_s is None or now_s - subject.voiced_s <= PAUSE_S:
        return None
    if subject.peak_db < DIGITAL_SILENCE_DB:
        advice = "not even noise arrives; unmute it or choose another input"
    else:
        advice = f"only {subject.peak_db:.0f} dB; if someone speaks, raise gain_db"
    return Health(State.SILENT, advice)

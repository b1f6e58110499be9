"""Health of a subject: one state, with its cause and its remedy.

The state is computed from what the last ticks showed; whatever the user switched on purpose is a
lamp beside it, which no state hides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from textwrap import shorten
from typing import TYPE_CHECKING

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.models.timing import HOP_MS, HOP_S

if TYPE_CHECKING:
    from cstalk_bridge.monitor.metrics import Metrics, SubjectMetrics


NAME_COLUMNS = 24
"""Of a device's name in a sentence that must fit on a line."""

PAUSE_S = 5.0
"""A speaker's pause; after it a silence is worth a word."""

DIGITAL_SILENCE_DB = -90.0
"""Below the noise of any microphone and its converter: it is muted or not connected."""

TOLERATED_LOSSES = 2
"""Ticks or losses of one cause in two seconds which nobody sees."""

TOO_SLOW = 1.05
"""Of a hop: from here on rows alone are too slow. Where a step lasts as long whatever it makes, it
takes on as many hops as have come meanwhile, and a row's share of it is just a hop."""

NEWEST_STEPS = 64
"""Steps of the network by which its present speed is judged: a second or so."""


class HealthState(Enum):
    """The word for a subject, worst last."""

    OK = "OK"
    STARTING = "STARTING"
    ENDED = "ENDED"
    SILENT = "SILENT"
    BEHIND = "BEHIND"
    NOT_SENT = "NOT SENT"
    NO_INPUT = "NO INPUT"


class Lamp(Enum):
    """What the user switched on for a subject."""

    MUTED = "MUTED"
    PAUSED = "PAUSED"
    REC = "REC"


@dataclass(frozen=True, slots=True)
class Health:
    """A state, and one sentence with its cause and remedy; no sentence when all is well."""

    state: HealthState
    advice: str = ""


def health(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> Health:
    """Judge a subject by the last two seconds: the worst thing first."""
    return (
        _input_health(subject, now_s)
        or _link_health(subject, now_s)
        or _late_health(metrics, subject, now_s)
        or _silence_health(subject, now_s)
        or Health(HealthState.OK)
    )


def lamps(metrics: Metrics, subject: SubjectMetrics) -> tuple[Lamp, ...]:
    """Return the lamps that are on."""
    recorder = metrics.recorder
    lit = {
        Lamp.MUTED: subject.is_muted,
        Lamp.PAUSED: subject.is_paused,
        Lamp.REC: recorder is not None and recorder.take is not None,
    }
    return tuple(lamp for lamp, is_lit in lit.items() if is_lit)


def _input_health(subject: SubjectMetrics, now_s: float) -> Health | None:
    name = shorten(subject.input_name, NAME_COLUMNS, placeholder="...") or "the input"
    match subject.input_state:
        case None:
            return Health(HealthState.STARTING)
        case SourceState.ENDED:
            return Health(HealthState.ENDED, f"{name} is over")
        case SourceState.LOST:
            return Health(HealthState.NO_INPUT, f"{name} is gone; plug it in again")
        case SourceState.RUNNING if subject.last_hop_s is None:
            return Health(HealthState.STARTING)
        case SourceState.RUNNING if subject.is_device and subject.starved_since_s is not None:
            starved_s = now_s - subject.starved_since_s
            advice = f"no sound from {name} for {starved_s:.0f} s; check its cable"
            return Health(HealthState.NO_INPUT, advice)
        case _:
            return None


def _link_health(subject: SubjectMetrics, now_s: float) -> Health | None:
    for link in subject.links:
        if link.failures.recent(now_s):
            reason = link.last_error or "refused"
            advice = f"{link.counters.name}: {reason}; check the address and the network"
            return Health(HealthState.NOT_SENT, advice)
    return None


def _late_health(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> Health | None:
    """Judge how many ticks showed the face of their time, and why the others did not."""
    shown = subject.shown.recent(now_s)
    losses = {cause: subject.drops[cause].recent(now_s) for cause in ("hops", "blocks", "ticks")}
    worst = max(losses, key=losses.__getitem__)
    if max(shown.missed, losses[worst]) <= TOLERATED_LOSSES:
        return None
    if shown.resting > shown.live + shown.held:
        what = "no new face comes, so it rests"
    elif shown.missed > TOLERATED_LOSSES:
        share = shown.missed / (shown.live + shown.missed)
        what = f"{share:.0%} of faces late, by {1e3 * shown.behind_s:.0f} ms"
    else:
        what = f"{losses[worst]} {worst} lost in 2 s"
    return Health(HealthState.BEHIND, f"{what}: {_cause(metrics, subject, now_s)}")


def _cause(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> str:
    """Return why faces come late, and what helps against that."""
    row, step = (ring.spread(NEWEST_STEPS) for ring in (metrics.row, metrics.inference))
    what = ""
    if row and row.median_s > TOO_SLOW * HOP_S:
        what = f"a row takes {1e3 * row.median_s:.0f} ms of the {HOP_MS} there are"
    elif step and step.median_s > HOP_S:
        what = f"a step of the network takes {1e3 * step.median_s:.0f} ms, a hop is {HOP_MS}"
    if what:
        if metrics.device == "cuda":
            return f"{what}; set device: cpu, or free the GPU"
        if len(metrics.subjects) > 1:
            return f"{what}; close other programs, or use fewer subjects"
        return f"{what}; close other programs"
    buffer_ms = 1e3 * subject.buffer_at(now_s)
    if metrics.buffer_ms is not None:
        return f"rows come too late for a buffer of {buffer_ms:.0f} ms; set buffer_ms: auto"
    return f"the machine is busy, the buffer is at {buffer_ms:.0f} ms; close other programs"


def _silence_health(subject: SubjectMetrics, now_s: float) -> Health | None:
    if subject.is_paused or subject.is_muted:
        return None
    if subject.last_voice_s is None or now_s - subject.last_voice_s <= PAUSE_S:
        return None
    if subject.peak_db < DIGITAL_SILENCE_DB:
        advice = "not even noise arrives; unmute it or choose another input"
    else:
        advice = f"only {subject.peak_db:.0f} dB; if someone speaks, raise gain_db"
    return Health(HealthState.SILENT, advice)

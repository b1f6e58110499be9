"""Health of a subject: one state, with its cause and its remedy.

The state follows from the last two seconds; what the user switched on purpose is a lamp beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from textwrap import shorten
from typing import TYPE_CHECKING

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.models.timing import HOP_MS, HOP_S
from cstalk_bridge.monitor.metrics import SILENCE_DB
from cstalk_bridge.outputs.udp import Delivery

if TYPE_CHECKING:
    from cstalk_bridge.monitor.metrics import Metrics, SubjectMetrics


NAME_COLUMNS = 24
"""Longest name of a device in advice, which must fit on a line."""

PAUSE_S = 5.0
"""Silence up to this long is a pause between sentences; a longer one is reported."""

DIGITAL_SILENCE_DB = -90.0
"""Peak in dBFS below the noise of any microphone: it is muted or not connected."""

TOLERATED_LOSSES = 2
"""Late ticks, or losses of one cause, in two seconds that nobody notices."""

TOO_SLOW = 1.05
"""Share of a hop from which inference per row is too slow. A step whose duration does not depend on
its number of hops takes on all hops that have come meanwhile, so that its share per row settles at
just a hop: only what is above that counts."""

NEWEST_STEPS = 64
"""Inference steps over which the present speed is measured: about a second."""


class HealthState(Enum):
    """The state of a subject, worst last."""

    OK = "OK"
    STARTING = "STARTING"
    ENDED = "ENDED"
    SILENT = "SILENT"
    BEHIND = "BEHIND"
    NO_RECEIVER = "NO RECEIVER"
    NOT_SENT = "NOT SENT"
    NO_INPUT = "NO INPUT"
    WAITING = "WAITING"

    @property
    def is_fault(self) -> bool:
        """Whether the subject needs the user's attention."""
        return self not in {self.OK, self.STARTING, self.ENDED}


class Lamp(Enum):
    """A switch that the user has turned on for a subject."""

    MUTED = "MUTED"
    PAUSED = "PAUSED"
    REC = "REC"


@dataclass(frozen=True, slots=True)
class Health:
    """A state, and advice: its cause and remedy in one sentence, empty when all is well."""

    state: HealthState
    advice: str = ""


def health(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> Health:
    """Return the health of a subject over the last two seconds: the worst fault found."""
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
            return Health(HealthState.ENDED, f"{name} has ended")
        case SourceState.LOST:
            return Health(HealthState.NO_INPUT, f"{name} is disconnected; plug it in again")
        case SourceState.WAITING:
            why = f" ({subject.input_fault})" if subject.input_fault else ""
            advice = f"for {name}{why}; it joins when the device is there"
            return Health(HealthState.WAITING, advice)
        case SourceState.RUNNING if subject.last_hop_s is None:
            return Health(HealthState.STARTING)
        case SourceState.RUNNING if subject.is_device and subject.starved_since_s is not None:
            starved_s = now_s - subject.starved_since_s
            advice = f"no sound from {name} for {starved_s:.0f} s; check its cable"
            return Health(HealthState.NO_INPUT, advice)
        case _:
            return None


LINK_STATES = {
    Delivery.NOT_SENT: HealthState.NOT_SENT,
    Delivery.NO_RECEIVER: HealthState.NO_RECEIVER,
}
"""States of a subject whose link has a fault, worst first."""


def _link_health(subject: SubjectMetrics, now_s: float) -> Health | None:
    """Return the worst fault of the links, with the name of the link."""
    found = [(link.counters.name, link.status(now_s)) for link in subject.links]
    for delivery, state in LINK_STATES.items():
        for name, status in found:
            if status.delivery is delivery:
                return Health(state, f"{name}: {status.advice}")
    return None


def _late_health(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> Health | None:
    """Report late or lost ticks of the last two seconds, and their cause."""
    shown = subject.shown.recent(now_s)
    losses = {cause: subject.drops[cause].recent(now_s) for cause in ("hops", "blocks", "ticks")}
    worst = max(losses, key=losses.__getitem__)
    if max(shown.missed, losses[worst]) <= TOLERATED_LOSSES:
        return None
    if shown.resting > shown.live + shown.held:
        what = "no new frames, the face is at rest"
    elif shown.missed > TOLERATED_LOSSES:
        share = shown.missed / (shown.live + shown.missed)
        what = f"{share:.0%} of frames late by {1e3 * shown.behind_s:.0f} ms"
    else:
        what = f"{losses[worst]} {worst} lost in 2 s"
    return Health(HealthState.BEHIND, f"{what}: {_cause(metrics, subject, now_s)}")


def _cause(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> str:
    """Return why frames are late, and the remedy."""
    row, step = (ring.spread(NEWEST_STEPS) for ring in (metrics.row, metrics.inference))
    what = ""
    if row and row.median_s > TOO_SLOW * HOP_S:
        what = f"inference takes {1e3 * row.median_s:.0f} ms per hop of {HOP_MS} ms"
    elif step and step.median_s > HOP_S:
        what = f"an inference step takes {1e3 * step.median_s:.0f} ms, a hop is {HOP_MS} ms"
    if what:
        if metrics.device == "cuda":
            return f"{what}; set device: cpu, or free the GPU"
        if len(metrics.subjects) > 1:
            return f"{what}; close other programs, or use fewer subjects"
        return f"{what}; close other programs"
    buffer_ms = 1e3 * subject.buffer_at(now_s)
    if metrics.buffer_ms is not None:
        return f"frames are ready too late for a buffer of {buffer_ms:.0f} ms; set buffer_ms: auto"
    return f"the machine is busy, the buffer is at {buffer_ms:.0f} ms; close other programs"


def _silence_health(subject: SubjectMetrics, now_s: float) -> Health | None:
    if subject.is_paused or subject.is_muted:
        return None
    if subject.last_voice_s is None or now_s - subject.last_voice_s <= PAUSE_S:
        return None
    if subject.peak_db < DIGITAL_SILENCE_DB:
        advice = "digital silence; unmute it or choose another input"
    elif not subject.gate_open and subject.peak_db > SILENCE_DB:
        advice = "the gate is closed; if someone speaks, lower its open_db"
    else:
        advice = f"only {subject.peak_db:.0f} dB; if someone speaks, raise gain_db"
    return Health(HealthState.SILENT, advice)

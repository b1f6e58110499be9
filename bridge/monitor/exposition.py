"""What machines read of a run: its health as one JSON document, and its metrics as Prometheus does.

`MEASURES` declares every metric once; the endpoint and the table of the documentation derive from
it. Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for counters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from cstalk_bridge.monitor.health import HealthState, health, lamps
from cstalk_bridge.monitor.metrics import DROP_CAUSES, LATENCY_PARTS
from cstalk_bridge.monitor.status_lines import timecode_label
from cstalk_bridge.outputs.udp import Delivery
from cstalk_bridge.system.files import printable
from cstalk_bridge.system.process import program_version
from cstalk_bridge.timecode.smpte import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from cstalk_bridge.monitor.metrics import (
        LinkMetrics,
        Metrics,
        PassthroughStatus,
        Spread,
        SubjectMetrics,
    )

    Samples = Iterable[tuple[tuple[str, ...], float]]
    """Values of the labels, and the value of each sample."""


PREFIX = "cstalk"

LOWEST_DB = -120.0
"""Level in place of minus infinity, which JSON lacks."""

HEALTHY, UNHEALTHY = 200, 503
"""HTTP status of a run in which nothing is at fault, and of any other."""


def is_healthy(states: Iterable[HealthState]) -> bool:
    """Whether no state is a fault of the program or its connections.

    A silent speaker is none: a service that restarts the bridge must not do so in a pause.
    """
    return not any(state.is_fault and state is not HealthState.SILENT for state in states)


def health_document(metrics: Metrics, now_s: float) -> dict[str, Any]:
    """Return the health of a run, for JSON: that of the worst subject, and each in detail."""
    found = [health(metrics, subject, now_s) for subject in metrics.subjects]
    order = list(HealthState)
    worst = max((each.state for each in found), key=order.index)
    take = metrics.recorder.take if metrics.recorder is not None else None
    return {
        "is_healthy": is_healthy(each.state for each in found),
        "state": worst.value,
        "advice": next(printable(each.advice) for each in found if each.state is worst),
        "version": program_version(),
        "timecode": timecode_label(metrics),
        "rate": str(metrics.rate),
        "take": take and f"{take.slate} {take.number} {duration_text(int(take.duration_s))}",
        "subjects": [_subject_document(metrics, each, now_s) for each in metrics.subjects],
    }


def stopped_document() -> dict[str, Any]:
    """Return the health where no bridge runs, as before its start and at its end."""
    return {
        "is_healthy": False,
        "state": "STOPPED",
        "advice": "no bridge is running; it starts or ends",
        "version": program_version(),
        "subjects": [],
    }


def _subject_document(metrics: Metrics, subject: SubjectMetrics, now_s: float) -> dict[str, Any]:
    found, total = health(metrics, subject, now_s), subject.total.spread()
    return {
        "name": printable(subject.name),
        "state": found.state.value,
        "is_fault": found.state.is_fault,
        "advice": printable(found.advice),
        "lamps": [lamp.value for lamp in lamps(metrics, subject)],
        "input": printable(subject.input_name),
        "level_db": round(max(subject.level_db, LOWEST_DB), 1),
        "latency_ms": [round(1e3 * total.median_s), round(1e3 * total.p99_s)] if total else None,
        "losses": subject.losses,
        "links": [link_document(link, now_s) for link in subject.links],
    }


def link_document(link: LinkMetrics, now_s: float) -> dict[str, Any]:
    """Return the lamp of a link, for JSON, and what was sent."""
    status = link.status(now_s)
    return {
        "name": printable(link.counters.name),
        "lamp": status.delivery.value,
        "is_fault": status.delivery.is_fault,
        "advice": printable(status.advice),
        "packets_per_s": round(link.packets.per_second(now_s), 1),
        "sent": link.counters.sent,
        "not_sent": link.failures.lost,
    }


class Kind(Enum):
    """Types of metrics, as Prometheus calls them."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric: its name without prefix, a sentence, and its samples at a host time.

    A counter has `_total` behind its name.
    """

    name: str
    help: str
    read: Callable[[Metrics, float], Samples]
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE

    @property
    def full_name(self) -> str:
        """Its name as Prometheus shows it."""
        return f"{PREFIX}_{self.name}" + ("_total" if self.kind is Kind.COUNTER else "")


def _each(value: Callable[[SubjectMetrics, float], float | None]) -> Callable[..., Samples]:
    """Return what reads one value of each subject; None is left out."""

    def read(metrics: Metrics, now_s: float) -> Iterator[tuple[tuple[str, ...], float]]:
        for subject in metrics.subjects:
            found = value(subject, now_s)
            if found is not None and not math.isnan(found):
                yield (subject.name,), found

    return read


def _each_passthrough(value: Callable[[PassthroughStatus], float]) -> Callable[..., Samples]:
    """Return what reads one value of each audio passthrough."""
    return _each(lambda subject, _: value(subject.passthrough) if subject.passthrough else None)


def _each_link(value: Callable[[LinkMetrics], float]) -> Callable[..., Samples]:
    def read(metrics: Metrics, _now_s: float) -> Iterator[tuple[tuple[str, ...], float]]:
        for subject in metrics.subjects:
            for link in subject.links:
                yield (subject.name, link.counters.name), value(link)

    return read


def _states(metrics: Metrics, now_s: float) -> Samples:
    for subject in metrics.subjects:
        present = health(metrics, subject, now_s).state
        for state in HealthState:
            yield (subject.name, state.name.lower()), float(state is present)


def _link_states(metrics: Metrics, now_s: float) -> Samples:
    for subject in metrics.subjects:
        for link in subject.links:
            present = link.status(now_s).delivery
            for state in Delivery:
                yield (
                    (subject.name, link.counters.name, state.name.lower()),
                    float(state is present),
                )


def _healthy(metrics: Metrics, now_s: float) -> Samples:
    states = (health(metrics, subject, now_s).state for subject in metrics.subjects)
    yield (), float(is_healthy(states))


def _losses(metrics: Metrics, _now_s: float) -> Samples:
    for subject in metrics.subjects:
        for cause in DROP_CAUSES:
            yield (subject.name, cause), subject.drops[cause].total


def _latencies(metrics: Metrics, _now_s: float) -> Samples:
    for subject in metrics.subjects:
        for part, ring in (*subject.latency.items(), ("total", subject.total)):
            for quantile, value_s in _quantiles(ring.spread()):
                yield (subject.name, part, quantile), value_s


def _quantiles(spread: Spread | None) -> tuple[tuple[str, float], ...]:
    if spread is None:
        return ()
    return ("0.5", spread.median_s), ("0.99", spread.p99_s), ("1", spread.worst_s)


def _take_lost(metrics: Metrics, _now_s: float) -> Samples:
    take = metrics.recorder.take if metrics.recorder is not None else None
    if take is not None:
        yield (), take.lost


SUBJECT = ("subject",)
LINK = ("subject", "link")
QUANTILE = "Quantiles 0.5, 0.99 and 1 of the newest 512."

MEASURES: tuple[Measure, ...] = (
    Measure(
        "info",
        "Version of the program and device of the network; always 1.",
        lambda metrics, _: [((program_version(), metrics.device), 1.0)],
        ("version", "device"),
    ),
    Measure("healthy", "1 while nothing is at fault, as the status 200 of /health.", _healthy),
    Measure(
        "subject_state",
        "1 for the state of a subject, 0 for its other states.",
        _states,
        (*SUBJECT, "state"),
    ),
    Measure(
        "link_state",
        "1 for the lamp of a link, 0 for its other lamps.",
        _link_states,
        (*LINK, "state"),
    ),
    Measure(
        "packets_sent",
        "Packets that left.",
        _each_link(lambda link: link.counters.sent),
        LINK,
        Kind.COUNTER,
    ),
    Measure(
        "packets_failed",
        "Packets that the system did not take.",
        _each_link(lambda link: link.counters.failed),
        LINK,
        Kind.COUNTER,
    ),
    Measure(
        "packets_refused",
        "Answers that nobody listens.",
        _each_link(lambda link: link.counters.refused),
        LINK,
        Kind.COUNTER,
    ),
    Measure(
        "losses",
        f"Losses by cause: {', '.join(DROP_CAUSES)}.",
        _losses,
        (*SUBJECT, "cause"),
        Kind.COUNTER,
    ),
    Measure(
        "audio_level_dbfs",
        "RMS level of the newest hop.",
        _each(lambda subject, _: max(float(subject.level_db), LOWEST_DB)),
        SUBJECT,
    ),
    Measure(
        "audio_peak_dbfs",
        "Peak of the newest hop.",
        _each(lambda subject, _: max(float(subject.peak_db), LOWEST_DB)),
        SUBJECT,
    ),
    Measure(
        "muted",
        "1 while the subject is muted.",
        _each(lambda subject, _: float(subject.is_muted)),
        SUBJECT,
    ),
    Measure(
        "paused",
        "1 while the face is paused.",
        _each(lambda subject, _: float(subject.is_paused)),
        SUBJECT,
    ),
    Measure(
        "lookahead_seconds",
        "Look-ahead.",
        _each(lambda subject, _: 1e-3 * subject.lookahead_ms),
        SUBJECT,
    ),
    Measure(
        "buffer_seconds",
        "Buffer, which adapts unless it is fixed.",
        _each(lambda subject, now_s: subject.buffer_at(now_s)),
        SUBJECT,
    ),
    Measure(
        "passthrough_delay_seconds",
        "Delay of the sound that is played on an output device.",
        _each_passthrough(lambda played: 1e-3 * played.total_delay_ms),
        SUBJECT,
    ),
    Measure(
        "passthrough_gaps",
        "Gaps in the sound that is played on an output device.",
        _each_passthrough(lambda played: float(played.underruns)),
        SUBJECT,
        kind=Kind.COUNTER,
    ),
    Measure(
        "passthrough_lost",
        "1 while the output device of the sound is missing.",
        _each_passthrough(lambda played: float(bool(played.fault))),
        SUBJECT,
    ),
    Measure(
        "latency_seconds",
        f"Latency beyond the look-ahead by part: {', '.join(LATENCY_PARTS)}, and total. {QUANTILE}",
        _latencies,
        (*SUBJECT, "part", "quantile"),
    ),
    Measure(
        "tick_lateness_seconds",
        f"How late frames were begun. {QUANTILE}",
        lambda metrics, _: [
            ((quantile,), value_s)
            for quantile, value_s in _quantiles(metrics.tick_lateness.spread())
        ],
        ("quantile",),
    ),
    Measure(
        "inference_seconds",
        f"Duration of a step of the network, for all subjects. {QUANTILE}",
        lambda metrics, _: [
            ((quantile,), value_s) for quantile, value_s in _quantiles(metrics.inference.spread())
        ],
        ("quantile",),
    ),
    Measure(
        "recording",
        "1 while a take is recorded.",
        lambda metrics, _: [
            ((), float(metrics.recorder is not None and metrics.recorder.take is not None))
        ],
    ),
    Measure("take_lost_frames", "Frames that the take being recorded has lost.", _take_lost),
    Measure(
        "log_records_lost",
        "Records that the log could not write.",
        lambda metrics, _: [((), metrics.lost_log_records())],
        kind=Kind.COUNTER,
    ),
)
"""Every metric, in the order of the documentation."""


def exposition(metrics: Metrics, now_s: float) -> tuple[bytes, str]:
    """Return the metrics at a host time in Prometheus's text format, and its media type.

    On Linux those of the process are added, as `process_cpu_seconds_total`.
    """
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

    return generate_latest(_registry(metrics, now_s)), CONTENT_TYPE_LATEST


def _registry(metrics: Metrics, now_s: float) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.registry import Collector

    class RunCollector(Collector):
        """Reads the measures of one run."""

        def collect(self) -> Iterator[Metric]:
            return (_family(measure, metrics, now_s) for measure in MEASURES)

    registry = CollectorRegistry()
    registry.register(RunCollector())
    ProcessCollector(registry=registry)
    return registry


def _family(measure: Measure, metrics: Metrics, now_s: float) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if measure.kind is Kind.COUNTER else GaugeMetricFamily
    name = f"{PREFIX}_{measure.name}"
    family: CounterMetricFamily | GaugeMetricFamily = kind(
        name, measure.help, labels=measure.labels
    )
    for labels, value in measure.read(metrics, now_s):
        family.add_metric(labels, value)
    return family


def measures_table() -> str:
    """Return the table of metrics, in Markdown."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for measure in MEASURES:
        labels = ", ".join(f"`{label}`" for label in measure.labels)
        rows.append(f"| `{measure.full_name}` | {measure.kind.value} | {labels} | {measure.help} |")
    return "\n".join(rows)

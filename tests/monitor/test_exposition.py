"""What machines read: the health document, and metrics that Prometheus's own parser reads."""

from __future__ import annotations

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.monitor.exposition import (
    MEASURES,
    Kind,
    exposition,
    health_document,
    measures_table,
)
from cstalk_bridge.monitor.metrics import DROP_CAUSES, LATENCY_PARTS, Metrics
from cstalk_bridge.outputs.link import LinkStatus
from cstalk_bridge.outputs.udp import Delivery
from tests.monitor.faces import CountedLink, metrics, play, subject


def samples(running: Metrics, now_s: float) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text, media_type = exposition(running, now_s)
    assert media_type.startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(running: Metrics, now_s: float, name: str, **labels: str) -> float:
    return samples(running, now_s)[name, frozenset(labels.items())]


def test_the_parser_of_prometheus_reads_every_metric_that_is_declared() -> None:
    running = metrics(subject("Anna"), subject('Bruno "B"\\ß'))
    now_s = play(running)
    text, _ = exposition(running, now_s)
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    idle = {
        "cstalk_take_lost_frames",
        "cstalk_passthrough_delay_seconds",
        "cstalk_passthrough_gaps_total",
        "cstalk_passthrough_lost",
    }
    for measure in MEASURES:
        family = families[measure.full_name.removesuffix("_total")]
        assert family.type == measure.kind.value
        assert family.documentation == measure.help
        assert family.samples or measure.full_name in idle
        for sample in family.samples:
            assert sample.name == measure.full_name
            assert set(sample.labels) == set(measure.labels)
    subjects = {sample.labels["subject"] for sample in families["cstalk_muted"].samples}
    assert subjects == {"Anna", 'Bruno "B"\\ß'}


def test_names_follow_the_conventions() -> None:
    """Base units and `_total`; see https://prometheus.io/docs/practices/naming/."""
    for measure in MEASURES:
        assert re.fullmatch(r"cstalk_[a-z]+(_[a-z]+)*", measure.full_name)
        assert measure.full_name.endswith("_total") is (measure.kind is Kind.COUNTER)
        assert not re.search(r"_(ms|milliseconds|db|count)\b", measure.full_name)
        assert measure.help.endswith(".")
    assert len({measure.full_name for measure in MEASURES}) == len(MEASURES)


def test_counters_go_on_where_the_display_counts_anew() -> None:
    running = metrics()
    now_s = play(running)
    one = running.subjects[0]
    one.record_drop("blocks", now_s, 7)
    one.reset_losses()
    lost = {"subject": "CSTalk", "cause": "blocks"}
    assert value(running, now_s, "cstalk_losses_total", **lost) == 7
    assert health_document(running, now_s)["subjects"][0]["losses"] == {}
    assert {
        dict(labels)["cause"]
        for name, labels in samples(running, now_s)
        if name == "cstalk_losses_total"
    } == set(DROP_CAUSES)


def test_latencies_are_in_seconds_by_part() -> None:
    running = metrics()
    now_s = play(running)
    labels = {"subject": "CSTalk", "part": "inference", "quantile": "0.5"}
    assert value(running, now_s, "cstalk_latency_seconds", **labels) == pytest.approx(0.0031)
    assert {
        dict(labels)["part"]
        for name, labels in samples(running, now_s)
        if name == "cstalk_latency_seconds"
    } == {*LATENCY_PARTS, "total"}
    assert value(running, now_s, "cstalk_lookahead_seconds", subject="CSTalk") == 0.08


def test_a_metric_of_each_state_and_lamp_is_1_for_the_present_one_alone() -> None:
    running = metrics()
    now_s = play(running)
    link = running.subjects[0].links[0].counters
    assert isinstance(link, CountedLink)
    link.delivery = LinkStatus(Delivery.NO_RECEIVER, "nobody listens")
    found = samples(running, now_s)
    on = {
        (name, dict(labels)["state"])
        for (name, labels), number in found.items()
        if name.endswith("_state") and number == 1
    }
    assert on == {("cstalk_subject_state", "no_receiver"), ("cstalk_link_state", "no_receiver")}
    assert found["cstalk_healthy", frozenset()] == 0


def test_the_document_is_json_of_the_worst_state() -> None:
    running = metrics(subject("Anna"), subject("Bruno"))
    before = json.loads(json.dumps(health_document(running, 0.0), allow_nan=False))
    assert (before["state"], before["is_healthy"]) == ("STARTING", True)
    now_s = play(running)
    assert health_document(running, now_s)["state"] == "OK"
    running.subjects[1].set_input(SourceState.LOST, "USB\x1b[2J Microphone")
    found = health_document(running, now_s)
    assert (found["state"], found["is_healthy"]) == ("NO INPUT", False)
    assert "is disconnected; plug it in again" in found["advice"]
    assert "\x1b" not in json.dumps(found, ensure_ascii=False)
    anna, bruno = found["subjects"]
    assert (anna["state"], bruno["state"]) == ("OK", "NO INPUT")
    (link,) = anna["links"]
    assert (link["lamp"], link["is_fault"], link["packets_per_s"]) == ("listening", False, 60.0)


def test_a_silent_speaker_is_shown_and_no_outage() -> None:
    running = metrics()
    now_s = play(running, seconds=6.0, level_db=-110.0)
    found = health_document(running, now_s)
    assert (found["state"], found["is_healthy"]) == ("SILENT", True)


def test_the_table_has_a_row_for_each_metric() -> None:
    assert measures_table().count("\n") == 1 + len(MEASURES)

"""Live settings of a running subject: all that are declared, read back as they were changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.control.live_settings import (
    LIVE_SETTINGS,
    change_live_settings,
    read_live_settings,
)
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.settings.table import SETTINGS, live_settings
from tests.control.running import RunningBridge, running_bridge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.settings.declaration import Setting


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    subject = {
        "name": "Anna",
        "audio": {"input": "test"},
        "passthrough": {"device": "no such cable"},
        "links": ["livelink-face://127.0.0.1:9"],
    }
    with running_bridge(tmp_path_factory.mktemp("live"), subjects=[subject]) as running:
        yield running


def test_what_is_declared_as_live_has_a_way_to_change_and_nothing_else_has() -> None:
    declared = {entry.key for entry in SETTINGS.values() if entry.is_live or entry.command}
    assert set(LIVE_SETTINGS) == declared == {entry.key for entry in live_settings()}


def other(entry: Setting) -> float | bool:
    """Return a value of a setting that is not its default."""
    if isinstance(entry.default, bool):
        return not entry.default
    assert entry.step is not None
    return float(entry.default) + 2 * entry.step


@pytest.mark.parametrize("entry", live_settings(), ids=lambda entry: entry.key)
def test_each_is_read_back_as_it_was_changed(bridge: RunningBridge, entry: Setting) -> None:
    subject = bridge.controller.subject("Anna")
    before = read_live_settings(subject)
    assert before[entry.field_name] == entry.default
    change_live_settings(subject, {entry.field_name: other(entry)}, over_s=0.0)
    after = read_live_settings(subject)
    assert after[entry.field_name] == pytest.approx(other(entry))
    change_live_settings(subject, before, over_s=0.0)
    assert read_live_settings(subject) == before


def test_the_levels_of_a_gate_never_cross(bridge: RunningBridge) -> None:
    subject = bridge.controller.subject("Anna")
    subject.gate(open_db=-70.0)
    assert (subject.noise_gate.open_db, subject.noise_gate.close_db) == (-70.0, -70.0)
    subject.gate(close_db=-40.0)
    assert (subject.noise_gate.open_db, subject.noise_gate.close_db) == (-40.0, -40.0)
    with pytest.raises(UserError, match="hold_ms"):
        subject.gate(hold_ms=-1.0)
    assert subject.noise_gate.hold_ms == 150.0


def test_a_gate_that_is_switched_on_closes_and_opens_again(bridge: RunningBridge) -> None:
    subject, metrics = bridge.controller.subject("Anna"), bridge.metrics.subjects[0]
    subject.gate(enabled=True, open_db=0.0, close_db=0.0, hold_ms=0.0)
    bridge.wait_for(lambda: not metrics.gate_open)
    subject.gate(enabled=False)
    bridge.wait_for(lambda: metrics.gate_open)


def test_a_rig_map_with_other_curves_is_refused(bridge: RunningBridge) -> None:
    subject = bridge.controller.subject("Anna")
    with pytest.raises(UserError, match="other curves") as refusal:
        subject.rigmap("livelinkface61", "vrm")
    assert "restart" in refusal.value.problems[0].remedy
    with pytest.raises(UserError, match="no link of Anna"):
        subject.rigmap("vrm", "livelinkface61")
    assert subject.rigmaps == ("livelinkface61",)
    subject.rigmap("livelinkface61", "arkit")
    assert subject.rigmaps == ("arkit",)

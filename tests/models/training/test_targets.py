"""Rules joined with captured or carried mouths."""

from __future__ import annotations

import numpy as np

from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.training.captured_faces import CURVES
from cstalk_bridge.models.training.rules import GESTURES
from cstalk_bridge.models.training.targets import (
    CAPTURED_CLOSES,
    COLUMN,
    JAW_YIELDS,
    compose,
    speaking,
)

ROWS = 20


def joined(*, is_captured: bool, active: float = 1.0, **mouth: float) -> dict[str, float]:
    """Compose one steady row whose rules ask for closed lips and a purse of 0.2."""
    rules = np.zeros((ROWS, len(GESTURES)), dtype=np.float32)
    rules[:, COLUMN["lips_together"]], rules[:, COLUMN["purse"]] = 1.0, 0.2
    seen = np.zeros((ROWS, len(CURVES)), dtype=np.float32)
    for name, value in mouth.items():
        seen[:, CURVES.index(name)] = value
    tracks = (np.full(ROWS, active, np.float32), np.ones(ROWS, np.float32))
    row = compose(rules, seen, *tracks, is_captured=is_captured)[5]
    return {name: float(row[COLUMN[name]]) for name in ("jaw", "lips_together", "purse")}


def test_a_carried_mouth_closes_fully_and_shuts_in_pauses() -> None:
    face = joined(is_captured=False, jaw=0.5, pucker=0.6)
    assert np.isclose(face["jaw"], 0.5 * (1 - JAW_YIELDS))
    assert face["lips_together"] == 1.0
    assert np.isclose(face["purse"], 0.5 * 0.2 + 0.5 * 0.6)
    assert max(joined(is_captured=False, active=0.0, jaw=0.5, pucker=0.6).values()) == 0.0


def test_a_captured_mouth_is_taken_as_it_was_seen_and_closes_further() -> None:
    face = joined(is_captured=True, jaw=0.5, pucker=0.6, together=0.3)
    assert np.isclose(face["lips_together"], CAPTURED_CLOSES + 0.3)
    assert np.isclose(face["purse"], 0.6)
    assert np.isclose(joined(is_captured=True, active=0.0, jaw=0.5)["jaw"], 0.5)


def test_captured_lips_meet_before_the_phone_that_asks_for_it() -> None:
    rules = np.zeros((ROWS, len(GESTURES)), dtype=np.float32)
    rules[10:13, COLUMN["lips_together"]] = 1.0
    seen, track = np.zeros((ROWS, len(CURVES)), np.float32), np.ones(ROWS, np.float32)
    shut = compose(rules, seen, track, track, is_captured=True)[:, COLUMN["lips_together"]]
    assert np.flatnonzero(shut).tolist() == [9, 10, 11]


def test_short_pauses_leave_the_mouth_to_its_words() -> None:
    spoken = np.full(40, PHONES.index("AA"))
    spoken[10:14] = 0
    spoken[25:] = 0
    active = speaking(spoken)
    assert active[4:20].min() > 0.99
    assert active[30:].max() < 1e-6
    assert 0.3 < active[25] < 0.7

"""Rules joined with captured or carried mouths."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.training.captured_faces import (
    CURVES,
    GAP_MM,
    TEETH_MM,
    gap_mm,
    opened,
)
from cstalk_bridge.models.training.rules import GESTURES, LIMITS, limit_of, rule_curves
from cstalk_bridge.models.training.targets import COLUMN, compose, jaw_path, speaking

ROWS = 20


def joined(
    *,
    is_captured: bool,
    active: float = 1.0,
    limit: float = 1.0,
    closed: float = 0.0,
    contrast: float = 1.0,
    **mouth: float,
) -> dict[str, float]:
    """Compose one steady row whose rules ask for a jaw of 0.2 and a purse of 0.2."""
    rules = np.zeros((ROWS, len(GESTURES)), dtype=np.float32)
    rules[:, COLUMN["jaw"]], rules[:, COLUMN["purse"]] = 0.2, 0.2
    rules[:, COLUMN["lips_together"]] = closed
    seen = np.zeros((ROWS, len(CURVES)), dtype=np.float32)
    for name, value in mouth.items():
        seen[:, CURVES.index(name)] = value
    tracks = (np.full(ROWS, value, np.float32) for value in (active, 1.0, limit, contrast))
    row = compose(rules, seen, *tracks, is_captured=is_captured)[5]
    return {name: float(row[COLUMN[name]]) for name in COLUMN}


def opens(face: dict[str, float]) -> float:
    return float(gap_mm({name: np.array([value], np.float32) for name, value in face.items()})[0])


def test_a_carried_mouth_shares_its_gap_with_the_rules_and_shuts_in_pauses() -> None:
    few, many = (opens(joined(is_captured=False, gap=gap)) for gap in (0.2, 1.2))
    assert few < 10 * 1.2 < many + 10 * 0.8
    assert many > few + 1.0
    shut = joined(is_captured=False, active=0.0, gap=1.0, pucker=0.6, width=0.5)
    assert max(shut.values()) == 0.0


def test_lips_that_the_jaw_may_not_part_part_by_themselves() -> None:
    free = joined(is_captured=False, gap=1.0)
    held = joined(is_captured=False, gap=1.0, limit=0.03)
    assert opens(held) == pytest.approx(opens(free), abs=0.2)
    assert TEETH_MM * held["jaw"] < 1.5 < TEETH_MM * free["jaw"]
    assert held["lower_depress"] > free["lower_depress"]


@pytest.mark.parametrize("is_captured", [False, True])
def test_rounded_lips_stay_as_far_apart_as_others(is_captured: bool) -> None:
    plain = joined(is_captured=is_captured, gap=0.6)
    rounded = joined(is_captured=is_captured, gap=0.6, pucker=1.0)
    assert rounded["purse"] > plain["purse"] + 0.4
    assert opens(rounded) == pytest.approx(opens(plain), abs=0.05)


def test_a_small_gap_of_pursed_lips_is_the_gap_asked_for() -> None:
    gap = np.array([0.0, 1.5, 3.0], dtype=np.float32)
    rounding = {"purse": np.full(3, 0.8, np.float32), "funnel": np.full(3, 0.1, np.float32)}
    made = opened(gap, np.full(3, 0.05, np.float32), rounding)
    together = np.zeros(3, dtype=np.float32)
    face = {**made, "purse": rounding["purse"], "lips_together": together}
    np.testing.assert_allclose(gap_mm(face), gap, atol=0.02)


def test_closed_lips_are_closed_whatever_was_seen() -> None:
    for is_captured in (False, True):
        face = joined(is_captured=is_captured, closed=1.0, gap=1.0, limit=0.05)
        assert opens(face) == 0.0
        assert face["lips_together"] == 1.0
        assert face["jaw"] <= 0.05 + 1e-6


def test_a_captured_mouth_follows_what_was_seen_between_words_too() -> None:
    still, wide = (opens(joined(is_captured=True, active=0.0, gap=gap)) for gap in (0.0, 1.0))
    assert still == 0.0
    assert wide > 7.0
    assert joined(is_captured=True, width=0.5)["stretch"] > joined(is_captured=True)["stretch"]


def test_captured_lips_meet_before_the_phone_that_asks_for_it() -> None:
    rules = np.zeros((ROWS, len(GESTURES)), dtype=np.float32)
    rules[10:13, COLUMN["lips_together"]] = 1.0
    seen, track = np.zeros((ROWS, len(CURVES)), np.float32), np.ones(ROWS, np.float32)
    shut = compose(rules, seen, track, track, track, track, is_captured=True)
    assert np.flatnonzero(shut[:, COLUMN["lips_together"]]).tolist() == [9, 10, 11, 12]


@pytest.mark.parametrize("sibilant", ["S", "Z", "SH", "ZH"])
def test_teeth_meet_in_sibilants_between_open_vowels(sibilant: str) -> None:
    segments = [(0.1, 0.25, "AA"), (0.25, 0.33, sibilant), (0.33, 0.5, "AE")]
    curves = rule_curves(segments, 30)
    jaw = curves[:, COLUMN["jaw"]]
    middle = round(0.29 * 50)
    assert TEETH_MM * jaw[middle] < 1.5
    assert GAP_MM["jaw"] * jaw.max() > 9.0
    assert opens({name: float(curves[middle, i]) for name, i in COLUMN.items()}) > 2.0


def test_a_limit_is_left_behind_at_its_speed() -> None:
    limit = limit_of("jaw", [(0.2, 0.3, "S")], 30)
    assert limit.min() == pytest.approx(LIMITS["jaw"]["S"], abs=0.03)
    assert min(limit[0], limit[-1]) > 0.5


def test_a_jaw_is_slow_and_the_teeth_of_a_short_sibilant_meet_all_the_same() -> None:
    segments = [(0.02 * start, 0.02 * end, phone) for start, end, phone in SHORT_SIBILANT]
    limit = limit_of("jaw", segments, 60)
    wanted = np.full(60, 0.4, dtype=np.float32)
    jaw = jaw_path(wanted, limit)
    slow, fast = (
        np.abs(np.diff(curve[5:-5], 2)).max() for curve in (jaw, np.minimum(wanted, limit))
    )
    assert slow < 0.7 * fast
    assert TEETH_MM * jaw[29:31].min() < 1.5
    assert jaw[10] == pytest.approx(0.4, abs=0.01)


SHORT_SIBILANT = [(0, 28, "AA"), (28, 32, "S"), (32, 60, "AA")]


def test_short_pauses_leave_the_mouth_to_its_words() -> None:
    spoken = np.full(40, PHONES.index("AA"))
    spoken[10:14] = 0
    spoken[25:] = 0
    active = speaking(spoken)
    assert active[4:20].min() > 0.99
    assert active[30:].max() < 1e-6
    assert 0.3 < active[25] < 0.7

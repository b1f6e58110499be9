"""Measures of made signals whose answers are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.frame import Frame
from bridge.plot.measures import (
    MAX_JERK,
    MAX_LAG_S,
    MAX_SPEED,
    STROKE_S,
    agreement,
    closures,
    jerk,
    mouth_opening,
    rms,
    runs,
    speed,
)
from bridge.rig.load import load_rigmap
from models.board import CHANNELS, INDEX

RATE_HZ = 50.0


def course(seconds: float = 4.0, seed: int = 1) -> np.ndarray:
    """Return something that moves like speech: noise below 6 Hz, 0..1."""
    noise = np.random.default_rng(seed).normal(size=round(seconds * RATE_HZ) + 8)
    smooth = np.convolve(noise, np.hanning(9), "valid")
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


def test_the_jerk_of_a_cubic_is_exact_at_every_row() -> None:
    times_s = np.arange(200) / RATE_HZ
    values = (0.02 * times_s**3 - 0.1 * times_s**2 + 0.3 * times_s).astype(np.float64)
    assert jerk(values, 1.0, RATE_HZ) == pytest.approx(np.full(197, 6 * 0.02), rel=1e-4)
    assert jerk(values, 2.0, RATE_HZ) == pytest.approx(np.full(197, 3 * 0.02), rel=1e-4)


def test_the_limits_are_the_peaks_of_a_minimum_jerk_stroke() -> None:
    rate_hz = 20_000.0
    t = np.arange(round(STROKE_S * rate_hz) + 1) / rate_hz / STROKE_S
    stroke = 10 * t**3 - 15 * t**4 + 6 * t**5
    assert np.abs(speed(stroke, 1.0, rate_hz)).max() == pytest.approx(MAX_SPEED, rel=1e-3)
    assert np.abs(jerk(stroke, 1.0, rate_hz)).max() == pytest.approx(MAX_JERK, rel=1e-2)


def test_speed_counts_ranges_per_second() -> None:
    assert speed(np.float32([0, 0.5, 0.5]), 2.0, RATE_HZ) == pytest.approx([12.5, 0])


@pytest.mark.parametrize("late_rows", [-9, -3, 0, 4, 15])
def test_the_lag_of_a_late_mouth_is_found(late_rows: int) -> None:
    loudness = course() * 60 - 70
    opening = np.roll(course(), late_rows)
    found = agreement(opening, loudness, RATE_HZ)
    assert found is not None
    assert found.lag_s == pytest.approx(late_rows / RATE_HZ)
    assert found.best == pytest.approx(1.0, abs=1e-4)
    assert found.together <= found.best


def test_the_correlation_is_pearsons() -> None:
    a, b = course(seed=1), course(seed=2)
    found = agreement(a, b, RATE_HZ)
    assert found is not None
    assert found.together == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-5)
    assert abs(found.lag_s) <= MAX_LAG_S


def test_nothing_agrees_with_a_face_at_rest_or_with_three_rows() -> None:
    assert agreement(np.zeros(200, np.float32), course(), RATE_HZ) is None
    assert agreement(course()[:3], course()[:3], RATE_HZ) is None


def test_the_opening_is_what_the_arkit_map_sends() -> None:
    board = np.random.default_rng(3).uniform(0, 1, len(CHANNELS)).astype(np.float32)
    rigmap = load_rigmap("livelinkface61")
    sent = dict(zip(rigmap.outputs, rigmap.apply(Frame(0.0, board)), strict=True))
    lips = np.mean([board[place] for name, place in INDEX.items() if "lipsTogether" in name])
    opening = mouth_opening(board[INDEX["CTRL_C_jaw.ty"]], lips)
    assert opening == pytest.approx(sent["JawOpen"] - sent["MouthClose"], abs=1e-6)


def test_closures_are_the_times_of_sealed_lips() -> None:
    lips = np.float32([0, 0.6, 0.9, 0.4, 0, 1])
    assert closures(lips).tolist() == [[1, 3], [5, 6]]


@given(st.lists(st.booleans(), max_size=40))
def test_runs_cover_exactly_the_true_rows(flags: list[bool]) -> None:
    spans = runs(np.array(flags, dtype=bool))
    covered = [row for first, last in spans.tolist() for row in range(first, last)]
    assert covered == [row for row, flag in enumerate(flags) if flag]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))


def test_rms_of_a_sine_and_of_nothing() -> None:
    assert rms(np.sin(np.arange(628) / 100).astype(np.float32)) == pytest.approx(0.7071, abs=1e-3)
    assert rms(np.zeros(0, np.float32)) == 0.0

"""One-Euro smoothing against a scalar filter written from the paper's definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bridge.rig.smoothing import OneEuro, OneEuroState


class ScalarOneEuro:
    """One value, one object, textbook form."""

    def __init__(self, min_cutoff_hz: float, beta: float) -> None:
        self.min_cutoff_hz, self.beta = min_cutoff_hz, beta
        self.last = self.slope = self.time_s = None

    @staticmethod
    def alpha(cutoff_hz: float, period_s: float) -> float:
        tau_s = 1 / (2 * math.pi * cutoff_hz)
        return 1 / (1 + tau_s / period_s)

    def __call__(self, value: float, time_s: float) -> float:
        if self.last is None:
            self.last, self.slope, self.time_s = value, 0.0, time_s
            return value
        period_s = time_s - self.time_s
        alpha = self.alpha(1.0, period_s)
        self.slope = alpha * (value - self.last) / period_s + (1 - alpha) * self.slope
        alpha = self.alpha(self.min_cutoff_hz + self.beta * abs(self.slope), period_s)
        self.last = alpha * value + (1 - alpha) * self.last
        self.time_s = time_s
        return self.last


def test_equals_the_scalar_filter_on_uneven_times():
    rng = np.random.default_rng(5)
    cutoffs, betas = rng.uniform(0.2, 20, 40), rng.uniform(0, 2, 40)
    scalars = [ScalarOneEuro(c, b) for c, b in zip(cutoffs, betas, strict=True)]
    filters, state, time_s = OneEuro(cutoffs, betas), OneEuroState(), 100.0
    for _ in range(200):
        values = rng.normal(size=40).astype(np.float32)
        expected = [scalar(float(v), time_s) for scalar, v in zip(scalars, values, strict=True)]
        np.testing.assert_allclose(filters.step(state, values, time_s), expected, rtol=1e-9)
        time_s += rng.uniform(0.004, 0.05)


def test_holds_while_time_stands_still_and_starts_afresh_after_reset():
    filters, state = OneEuro(np.array([1.0]), np.array([0.0])), OneEuroState()
    zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    assert filters.step(state, zero, 5.0) == 0.0
    assert filters.step(state, one, 5.0) == 0.0
    assert filters.step(state, one, 4.0) == 0.0
    assert 0.0 < filters.step(state, one, 5.1)[0] < 1.0
    state.reset()
    assert filters.step(state, one, 4.0) == 1.0


def test_beta_trades_lag_for_jitter():
    step = np.ones(1, np.float32)
    reached = []
    for beta in (0.0, 1.0):
        filters, state = OneEuro(np.array([1.0]), np.array([beta])), OneEuroState()
        filters.step(state, step * 0, 0.0)
        reached.append(filters.step(state, step, 1 / 60)[0])
    assert reached[0] == pytest.approx(1 / (1 + 60 / (2 * math.pi)))
    assert reached[1] > reached[0] * 2

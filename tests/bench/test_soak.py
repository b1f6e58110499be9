import numpy as np
import pytest

from bridge.bench.soak import drift_s


@pytest.mark.parametrize("drift_ms", [0.0, 5.0, -17.0, 100.0])
def test_a_pattern_that_comes_later_at_the_end_is_seen(drift_ms: float) -> None:
    """A jaw of period 4.08 s over ten minutes whose clock is off by `drift_ms` from end to end."""
    times_s = 100.0 + np.arange(36_000) / 60
    period = 4.08
    random = np.random.default_rng(2)
    phases = random.uniform(0, 2 * np.pi, (6, 1))
    # From the middle of the first third to that of the last lie two thirds of the run.
    slowness = 1e-3 * drift_ms / (2 / 3 * 600)
    sound_s = times_s * (1 - slowness)
    waves = np.cos(2 * np.pi * np.arange(1, 7)[:, None] * sound_s / period + phases)
    jaws = waves.sum(0) + 0.1 * random.standard_normal(len(times_s))
    assert 1e3 * drift_s(times_s, jaws, period) == pytest.approx(drift_ms, abs=1.5)

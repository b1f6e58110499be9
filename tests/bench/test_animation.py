"""The bench's measures of procedural animation, on curves with known blinks and gaze shifts."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.bench.animation import MotionTrajectory, simulated_motion


def made(**more: object) -> MotionTrajectory:
    """Ten seconds at 100 Hz of a face that rests."""
    rest = {
        "closures": np.zeros(1000),
        "head_deg": np.zeros((1000, 3)),
        "gaze_deg": np.zeros((1000, 2)),
        "is_mutual": np.ones(1000, dtype=bool),
    }
    return MotionTrajectory(100.0, **{**rest, **more})  # type: ignore[arg-type]


def test_blinks_are_counted_and_timed() -> None:
    closures = np.zeros(1000)
    for start in (100, 400, 700):
        closures[start : start + 30] = [*np.linspace(0.1, 1, 9), 1, 1, *np.linspace(0.95, 0.05, 19)]
    whole = made(closures=closures)
    assert whole.blinks_per_min == pytest.approx(18.0)
    np.testing.assert_allclose(whole.blinks_ms, [[90.0, 190.0]])


def test_saccades_have_a_size_and_a_length() -> None:
    gaze = np.zeros((1000, 2))
    gaze[100:104, 0] = [2, 5, 8, 10]
    gaze[104:, 0] = 10
    gaze[500:, 1] = 0.5
    np.testing.assert_allclose(made(gaze_deg=gaze).saccades, [[10.0, 40.0]])


def test_fast_and_slow_head_motion_are_distinguished() -> None:
    times_s = np.arange(1000) / 100

    def turning(hertz: float) -> MotionTrajectory:
        return made(head_deg=np.sin(2 * np.pi * hertz * times_s)[:, None] * np.ones(3))

    assert turning(1.0).head_share_below(5.0) > 0.95
    assert turning(9.0).head_share_below(5.0) < 0.05
    assert turning(9.0).head_jerk_deg_s3 > 100 * turning(1.0).head_jerk_deg_s3


def test_animation_curves_are_those_of_the_procedural_animation() -> None:
    listening = simulated_motion(3, (), 60.0, 60.0)
    assert listening.closures.shape == (3600,)
    assert 0.5 < listening.is_mutual.mean() <= 1.0
    assert listening.blinks_per_min > 2.0
    assert 0.0 < np.abs(listening.head_deg).max() < 20.0

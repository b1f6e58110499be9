"""How claps on a cable are paired with openings of the mouth."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.bench.packets import Arrivals
from cstalk_bridge.bench.passthrough import offsets, openings


def arrivals(openings_s: list[float]) -> Arrivals:
    """Return packets at 60 fps of a jaw that opens within 40 ms, half open at these times."""
    times_s = np.arange(600) / 60
    after_s = times_s[:, None] - np.array(openings_s)
    rising = np.clip(after_s / 0.04 + 0.5, 0, 1)
    jaws = np.max(rising * np.clip((0.2 - after_s) / 0.04 + 0.5, 0, 1), axis=1)
    zeros = np.zeros(len(times_s))
    return Arrivals(times_s, 60 * times_s, jaws, zeros)


def test_the_instant_of_an_opening_is_found_between_two_packets() -> None:
    seen_s = openings(arrivals([1.003, 2.511, 7.777]))
    assert seen_s == pytest.approx([1.003, 2.511, 7.777], abs=1e-6)


def test_claps_are_paired_with_their_openings_and_the_others_left_out() -> None:
    times_s, later_s = offsets(np.array([1.01, 3.0, 7.77]), np.array([1.0, 5.0, 7.777]))
    assert times_s.tolist() == [1.0, 7.777]
    assert later_s == pytest.approx([0.01, -0.007])

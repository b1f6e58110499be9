from __future__ import annotations

import numpy as np
import pytest

from bridge.bench.daemon_process import Measurements
from bridge.bench.faces import FEW, MANY, faces_of, stream_rates
from bridge.bench.receiver import Arrivals
from bridge.monitor.rings import Spread


def measured(tick_s: float, step_s: float) -> Measurements:
    spreads = {"send": Spread(tick_s, 0, 0, 1), "step": Spread(step_s, 0, 0, 1)}
    return Measurements(spreads, {}, 1.0)


def test_room_ends_where_ticks_or_the_network_fill_half_of_their_time() -> None:
    each_s = 40e-6
    few, many = (measured(count * each_s, 0.001) for count in (FEW, MANY))
    assert faces_of(few, many) == pytest.approx(0.5 / 60 / each_s, abs=1)
    slower = measured(MANY * each_s, 0.001 + (MANY - FEW) * 100e-6)
    assert faces_of(few, slower) == pytest.approx(FEW + 0.009 / 100e-6, abs=1)


def test_every_stream_has_a_rate_of_its_own() -> None:
    times_s = np.repeat(np.arange(120) / 60, 2)
    times_s[1::2] *= 1.5
    arrivals = Arrivals(times_s, times_s, times_s, np.tile([0.0, 1.0], 120))
    assert stream_rates(arrivals) == pytest.approx([60.0, 40.0])

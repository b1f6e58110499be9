from __future__ import annotations

import numpy as np

from cstalk_bridge.bench.links import SUBJECTS, TARGETS, Phase, of_phases, of_streams
from cstalk_bridge.bench.packets import Arrivals
from cstalk_bridge.bench.report import missed
from tests.bench.test_preview import phase


def arrivals(frames: int, streams: int = len(SUBJECTS) * TARGETS) -> Arrivals:
    numbers = np.repeat(np.arange(float(frames)), streams)
    which = np.tile(np.arange(float(streams)), frames)
    nothing = np.zeros(len(numbers))
    return Arrivals(numbers / 60, numbers, nothing, which)


def lasting(p99_ms: float) -> Phase:
    return Phase(phase(p99_ms), arrivals(3), load=1.0, bare_p99_s=1e-4)


def test_every_frame_of_every_stream_is_looked_for() -> None:
    assert missed(of_streams("all", arrivals(60))) == 0
    assert missed(of_streams("one missing", arrivals(60, 31))) == 1
    whole = arrivals(60)
    gone = np.delete(np.arange(len(whole.frames)), 100)
    parts = (whole.times_s, whole.frames, whole.jaws, whole.streams)
    lossy = Arrivals(*(part[gone] for part in parts))
    assert missed(of_streams("one lost", lossy)) == 1


def test_what_dead_targets_add_is_limited() -> None:
    quiet = lasting(0.5), lasting(0.5)
    assert missed(of_phases(quiet, lasting(1.0), lasting(1.5))) == 0
    assert missed(of_phases(quiet, lasting(1.0), lasting(2.5))) == 1
    assert missed(of_phases(quiet, lasting(4.5), lasting(4.6))) == 2

import numpy as np

from cstalk_bridge.bench.packets import Arrivals, of_arrivals
from cstalk_bridge.bench.report import missed


def arrivals(frames: list[int], fps: float = 60.0) -> Arrivals:
    numbers = np.array(frames, dtype=np.float64)
    return Arrivals(
        100.0 + np.arange(len(frames)) / fps, numbers, np.zeros(len(frames)), np.zeros(len(frames))
    )


def test_every_frame_once_keeps_the_limits() -> None:
    assert missed(of_arrivals(arrivals(list(range(600))))) == 0


def test_a_lost_a_repeated_and_a_slow_frame_are_seen() -> None:
    assert missed(of_arrivals(arrivals([*range(300), *range(301, 600)]))) == 2
    assert missed(of_arrivals(arrivals([*range(300), *range(299, 600)]))) == 2
    assert missed(of_arrivals(arrivals(list(range(600)), fps=59.5))) == 1


def test_no_packets_are_a_miss() -> None:
    assert missed(of_arrivals(arrivals([]))) == 1

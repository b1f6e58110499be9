"""The system clock as a source tells what steers it."""

from __future__ import annotations

import threading

from bridge.clock.chase import Chase, Mode
from bridge.clock.discipline import UNKNOWN, Discipline, Steering
from bridge.clock.rate import FRAME_RATES
from bridge.clock.sources import SystemSource


def told(discipline: Discipline) -> str:
    asked = threading.Event()

    def ask() -> Discipline:
        asked.set()
        return discipline

    source = SystemSource(Chase(FRAME_RATES["25"], Mode.FREE), discipline=ask)
    try:
        assert asked.wait(5)
        for _ in range(500):
            if source.text != "system clock":
                break
            threading.Event().wait(0.001)
        return source.text
    finally:
        source.close()


def test_it_says_what_steers_the_clock() -> None:
    found = Discipline(Steering.NTP, "pool.ntp.org", 0.00012)
    assert told(found) == "system clock (NTP pool.ntp.org +0.120 ms)"


def test_it_keeps_quiet_where_that_is_not_known() -> None:
    assert told(UNKNOWN) == "system clock"

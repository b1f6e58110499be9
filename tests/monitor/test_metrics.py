"""What the daemon writes and others read."""

from __future__ import annotations

import pytest

from cstalk_bridge.frame import Showing
from cstalk_bridge.monitor.metrics import DROP_CAUSES, LATENCY_PARTS, MAX_NOTICES
from tests.monitor.faces import metrics, play, subject


def test_notices_are_bounded_and_numbered() -> None:
    running = metrics()
    for number in range(MAX_NOTICES + 8):
        running.notice(float(number), f"thing {number}")
    kept = running.notices()
    assert len(kept) == MAX_NOTICES
    assert kept[-1].text == f"thing {MAX_NOTICES + 7}"
    assert running.notices(after=kept[-2].number) == (kept[-1],)


def test_the_parts_and_causes_are_the_only_ones() -> None:
    one = subject()
    assert tuple(one.latency) == tuple(LATENCY_PARTS)
    assert tuple(one.drops) == tuple(DROP_CAUSES)
    with pytest.raises(KeyError):
        one.record_latency("luck", 1.0)
    with pytest.raises(KeyError):
        one.record_drop("luck", 1.0)


def test_a_tick_that_misses_its_face_is_counted_unless_no_sound_comes() -> None:
    one = subject()
    for showing, late_s in (
        (Showing.RESTING, 0.0),
        (Showing.LIVE, 0.0),
        (Showing.HELD, 0.02),
        (Showing.RESTING, 0.7),
    ):
        one.record_shown(showing, late_s, 1.0)
    assert one.drops["late"].total == 2
    shown = one.shown.recent(1.0)
    assert (shown.live, shown.held, shown.resting, shown.behind_s) == (1, 1, 1, 0.02)
    one.starved_since_s = 0.5
    one.record_shown(Showing.RESTING, 0.9, 1.1)
    assert one.drops["late"].total == 2


def test_packets_are_counted_per_link() -> None:
    running = metrics(subject(links=2))
    now_s = play(running)
    speeds = [link.packets.per_second(now_s) for link in running.subjects[0].links]
    assert speeds == [pytest.approx(60.0), pytest.approx(60.0)]

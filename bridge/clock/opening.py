"""From what the config says of timecode to ticks that are stamped with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.clock.chase import Chase
from bridge.clock.host import host_now
from bridge.clock.sources import LtcSource, SystemSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from bridge.clock.rate import FrameRate
    from bridge.clock.spec import TimecodeSpec
    from bridge.clock.sync import Status
    from bridge.clock.tick import Tick


class TimeOfDay:
    """A source and the chase that it feeds, until it is closed."""

    def __init__(self, chase: Chase, source: SystemSource | LtcSource) -> None:
        self.chase = chase
        self._source = source

    @property
    def text(self) -> str:
        """What the time comes from, and what that says, in words for the user."""
        return self._source.text

    def stamp(self, tick: Tick) -> Tick:
        """Return the tick with the frame number that counts; never waits."""
        return self.chase.stamp(tick)

    def status(self, host_s: float) -> Status:
        """Tell how the time of the ticks stands beside the source's."""
        return self.chase.status(host_s)

    def close(self) -> None:
        """Leave the source; harmless when done twice."""
        self._source.close()


def open_time_of_day(
    spec: TimecodeSpec, rate: FrameRate, *, now: Callable[[], float] = host_now
) -> TimeOfDay:
    """Open the source of a spec for ticks at a rate. UserError where it cannot be opened."""
    chase = Chase(rate, spec.mode)
    if spec.source == "system" or spec.audio is None:
        return TimeOfDay(chase, SystemSource(chase))
    return TimeOfDay(chase, LtcSource(spec.audio, chase, offset_s=1e-3 * spec.offset_ms, now=now))

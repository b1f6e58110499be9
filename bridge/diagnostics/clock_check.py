"""Checks time: the source of timecode, the synchronisation of the system clock, and how late
ticks are.
"""

from __future__ import annotations

import itertools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.diagnostics.checks import Finding, fault, ok, warning
from cstalk_bridge.system.addresses import is_loopback
from cstalk_bridge.system.priority import Role, priority_summary, with_priorities
from cstalk_bridge.system.process import SWITCH_INTERVAL_S
from cstalk_bridge.timecode.chase import SyncState
from cstalk_bridge.timecode.system_clock import ClockReference, Discipline, system_discipline
from cstalk_bridge.timecode.tick import Ticker, host_now
from cstalk_bridge.timecode.time_of_day import open_time_of_day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.config.schema import Config
    from cstalk_bridge.timecode.chase import SyncStatus
    from cstalk_bridge.timecode.config import TimecodeConfig
    from cstalk_bridge.timecode.smpte import FrameRate


TIMECODE_S = 2.5
"""How long linear timecode is read; it locks after a fifth of a second."""

TICKS_S = 1.5
MAX_LATENESS_S = 0.004
"""Lateness, p99, that a run keeps on a machine with nothing else to do."""

SYNCHRONISE = {
    "win32": "w32tm /resync, or switch on Settings > Time & language > Set time automatically",
    "darwin": "switch on System Settings > General > Date & Time > Set time automatically",
}
SYNCHRONISE_ELSEWHERE = "timedatectl set-ntp true, or install chrony"


def examine_timecode(config: TimecodeConfig, rate: FrameRate) -> Finding:
    """Read the source of timecode. UserError where it cannot be opened."""
    if config.source == "system":
        return ok("timecode", f"the system clock's time of day, at {rate} frames/s")
    time_of_day = open_time_of_day(config, rate)
    try:
        threading.Event().wait(TIMECODE_S)
        return judge_timecode(time_of_day.text, time_of_day.status(host_now()), rate)
    finally:
        time_of_day.close()


def judge_timecode(text: str, status: SyncStatus, rate: FrameRate) -> Finding:
    """Say whether valid timecode arrives."""
    if status.sync is SyncState.LOST:
        what = f"{text}: no valid timecode arrives"
        return fault(
            "timecode", what, "check the cable, its channel (timecode.audio) and its level"
        )
    return ok("timecode", f"{text} arrives, frames leave at {rate} frames/s")


def examine_clock_sync(config: Config) -> Finding:
    """Check what synchronises the system clock."""
    hosts = {
        target.host for each in config.subjects for link in each.links for target in link.targets
    }
    return judge_clock_sync(system_discipline(), is_alone=all(map(is_loopback, hosts)))


def judge_clock_sync(
    discipline: Discipline, *, is_alone: bool, platform: str = sys.platform
) -> Finding:
    """Say whether other machines can have the same time; `is_alone`: there are no others."""
    if discipline.steering is ClockReference.UNKNOWN:
        return ok("system clock", "this system does not report what synchronises it")
    if discipline.steering is not ClockReference.NONE:
        return ok("system clock", f"synchronised by {discipline}")
    remedy = SYNCHRONISE.get(platform, SYNCHRONISE_ELSEWHERE)
    if is_alone:
        what = "not synchronised, which matters only where several machines share a time"
        return ok("system clock", what)
    what = "not synchronised, so its timecode drifts from that of other machines"
    return warning("system clock", what, remedy)


def examine_ticks(rate: FrameRate) -> Iterator[Finding]:
    """Tick as a run does, and say how late ticks are and at which priority."""
    lateness_s: list[float] = []
    priorities: list[str] = []

    def tick() -> None:
        ticks = itertools.islice(Ticker(rate, now=host_now), round(TICKS_S * rate.hz))
        lateness_s.extend(tick.lateness_s for tick in ticks)

    tasks = with_priorities(
        {Role.FACES: lambda: None, Role.TICKS: tick},
        lambda obtained: priorities.append(priority_summary(obtained)),
    )
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        with ThreadPoolExecutor(len(tasks)) as threads:
            for done in [threads.submit(task) for task in tasks.values()]:
                done.result()
    finally:
        sys.setswitchinterval(before)
    yield judge_ticks(lateness_s, rate)
    yield from (ok("priority", priority) for priority in priorities)


def judge_ticks(lateness_s: list[float], rate: FrameRate) -> Finding:
    """Say whether frames leave evenly on a machine with that lateness."""
    median_s, p99_s = np.percentile(lateness_s, (50, 99)).tolist()
    what = (
        f"{rate} a second, late by {1e3 * median_s:.1f} ms, p99 {1e3 * p99_s:.1f} "
        f"(good: below {1e3 * MAX_LATENESS_S:.0f})"
    )
    remedy = "close other programs; a higher priority (see below) helps"
    if p99_s >= float(rate.frame_s):
        return fault("ticks", f"{what}: more than a whole frame", remedy)
    return warning("ticks", what, remedy) if p99_s >= MAX_LATENESS_S else ok("ticks", what)

"""Priority of the threads that must run in time: the best that an ordinary user may have."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


REALTIMEKIT_TIMEOUT_S = 0.5
"""How long a start waits for RealtimeKit, which answers within 20 ms once it runs."""

REALTIMEKIT_NAME = "org.freedesktop.RealtimeKit1"
REALTIMEKIT_PATH = "/org/freedesktop/RealtimeKit1"


def renice_by_realtimekit(thread: int, nice: int) -> bool:
    """Have the thread of that kernel number run at `nice`, or at the lowest level that is given.

    Waits for `TIMEOUT_S` at most. Returns whether it was granted; whatever is amiss, be it
    jeepney, the bus, the service or the right, is a no. Asks for no real-time scheduling: for that
    RealtimeKit demands an RLIMIT_RTTIME, beyond which the kernel kills the whole process.
    """
    request = _ReniceRequest(thread, nice)
    # On a thread of its own, because jeepney waits without end for a bus that does not greet.
    worker = Worker("realtimekit", request.send)
    worker.start()
    worker.join(REALTIMEKIT_TIMEOUT_S)
    return request.close()


class _ReniceRequest:
    """One request, which is not made any more once it is closed."""

    def __init__(self, thread: int, nice: int) -> None:
        self._thread = thread
        self._nice = nice
        self._is_granted = False
        self._is_late = False

    def send(self) -> None:
        with suppress(Exception):
            from jeepney import DBusAddress, Properties, new_method_call
            from jeepney.bus import get_bus
            from jeepney.io.blocking import DBusConnection, prep_socket
            from jeepney.wrappers import unwrap_msg

            kit = DBusAddress(
                REALTIMEKIT_PATH, bus_name=REALTIMEKIT_NAME, interface=REALTIMEKIT_NAME
            )
            socket = prep_socket(get_bus("SYSTEM"), timeout=REALTIMEKIT_TIMEOUT_S)
            with socket, DBusConnection(socket) as bus:
                query = Properties(kit).get("MinNiceLevel")
                ((_, lowest),) = unwrap_msg(
                    bus.send_and_get_reply(query, timeout=REALTIMEKIT_TIMEOUT_S)
                )
                given = (self._thread, max(self._nice, lowest))
                message = new_method_call(kit, "MakeThreadHighPriority", "ti", given)
                if not self._is_late:
                    unwrap_msg(bus.send_and_get_reply(message, timeout=REALTIMEKIT_TIMEOUT_S))
                    self._is_granted = True

    def close(self) -> bool:
        self._is_late = True
        return self._is_granted


Level = Literal["real-time", "high", "ordinary"]
LEVELS: tuple[Level, ...] = ("ordinary", "high", "real-time")
"""From the lowest on."""


class Role(StrEnum):
    """What a thread does, the most urgent first."""

    TICKS = "ticks"
    FACES = "faces"


@dataclass(frozen=True, slots=True)
class Priority:
    """What one thread obtained: its `level`, and `how`, where `{}` stands for `value`.

    `remedy` is what the user can do for more, empty where nothing is needed.
    """

    level: Level
    how: str
    value: str
    remedy: str = ""


FIFO = {Role.TICKS: 20, Role.FACES: 10}
"""SCHED_FIFO priorities: above every ordinary thread, below the kernel's own (50 and more)."""
NICE = {Role.TICKS: -15, Role.FACES: -11}
"""Nice levels; -15 is the lowest that RealtimeKit gives by default."""

AVRT_PRIORITIES = {Role.TICKS: (1, "high"), Role.FACES: (0, "normal")}
"""AVRT_PRIORITY_HIGH and _NORMAL of avrt.h."""
THREAD_PRIORITIES = {Role.TICKS: (15, "time-critical"), Role.FACES: (2, "highest")}
"""THREAD_PRIORITY_TIME_CRITICAL and _HIGHEST of winbase.h."""

COMPUTATION_S, CONSTRAINT_S = 0.002, 0.004
"""macOS: a tick's work, and by when after its wake-up it shall be done."""


def raise_priority(role: Role) -> Priority:
    """Give the calling thread the highest priority that the system allows for `role`.

    It lasts as long as the thread. Waits for `realtimekit.TIMEOUT_S` at most. Never raises.
    """
    try:
        if sys.platform == "linux":
            return _raise_on_linux(role)
        if sys.platform == "win32":
            return _raise_on_windows(role)
        if sys.platform == "darwin":
            return _raise_on_macos(role)
    except (OSError, AttributeError, ImportError) as error:
        return Priority("ordinary", "{}", str(error))
    return Priority("ordinary", "{}", f"{sys.platform} does not let a program raise it")


def priority_summary(obtained: Mapping[Role, Priority]) -> str:
    """Return what the threads of some roles run at, as one sentence with at most one remedy."""
    alike: dict[tuple[str, str], list[Role]] = {}
    for role in Role:
        if role in obtained:
            alike.setdefault((obtained[role].level, obtained[role].how), []).append(role)
    clauses: list[str] = []
    for (level, how), roles in alike.items():
        values = dict.fromkeys(obtained[role].value for role in roles)
        verb = "" if clauses else " run"
        means = how.replace("{}", ", ".join(values))
        clauses.append(f"{' and '.join(roles)}{verb} at {level} priority ({means})")
    remedy = next((each.remedy for each in obtained.values() if each.remedy), "")
    summary = ", ".join(clauses)
    return f"{summary[:1].upper()}{summary[1:]}{'; ' if remedy else ''}{remedy}."


def lowest_level(obtained: Mapping[Role, Priority]) -> Level:
    """Return the lowest level of what was obtained."""
    return min((priority.level for priority in obtained.values()), key=LEVELS.index)


def with_priorities(
    tasks: Mapping[Role, Callable[[], None]], notice: Callable[[Mapping[Role, Priority]], None]
) -> dict[Role, Callable[[], None]]:
    """Return the tasks so that each first raises the thread which it is called on.

    `notice` is called once, by the thread that is last, with what all of them obtained.
    """
    obtained: dict[Role, Priority] = {}
    lock = threading.Lock()

    def begin(role: Role) -> None:
        priority = raise_priority(role)
        with lock:
            obtained[role] = priority
            if len(obtained) == len(tasks):
                notice(obtained)
        tasks[role]()

    return {role: partial(begin, role) for role in tasks}


def _raise_on_linux(role: Role) -> Priority:
    if sys.platform != "linux":
        raise OSError("not Linux")
    try:
        # Ticks' own first: where that is refused, faces must not run before ticks.
        for priority in (FIFO[Role.TICKS], FIFO[role]):
            policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
            os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError as error:
        reason = error.strerror or str(error)
    else:
        return Priority("real-time", "SCHED_FIFO {}", str(FIFO[role]))
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    how = "nice {}"
    if before > NICE[role]:
        if renice_by_realtimekit(thread, NICE[role]):
            how = "nice {} by RealtimeKit"
        else:
            _renice(thread, NICE[role], before)
    nice = os.getpriority(os.PRIO_PROCESS, thread)
    if nice < 0:
        return Priority("high", how, str(nice))
    return Priority("ordinary", "{}", reason, _realtime_remedy(FIFO[Role.TICKS]))


def _renice(thread: int, wanted: int, before: int) -> None:
    """Take the nice level `wanted`, else the lowest below `before` that RLIMIT_NICE allows."""
    if sys.platform != "linux":
        return
    import resource

    # Threads that this one starts begin at nice 0 again.
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    for nice in (wanted, 20 - resource.getrlimit(resource.RLIMIT_NICE)[0]):
        if wanted <= nice < before:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, nice)
                return


def _realtime_remedy(priority: int) -> str:
    """Return what lets this user have SCHED_FIFO `priority`."""
    if sys.platform != "linux":
        return ""
    if os.geteuid() == 0:
        return "give the container CAP_SYS_NICE for less jitter"
    if os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()):
        return f"put LimitRTPRIO={priority} into the service's unit for less jitter"
    import pwd

    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = "*"
    line = f"{user} - rtprio {priority}"
    return f'put "{line}" into /etc/security/limits.conf and log in again for less jitter'


def _raise_on_windows(role: Role) -> Priority:
    if sys.platform != "win32":
        raise OSError("not Windows")
    # Some editions come without the multimedia libraries.
    with suppress(OSError, AttributeError):
        _keep_short_timers()
    with suppress(OSError, AttributeError):
        if name := _join_mmcss(role):
            return Priority("real-time", "MMCSS Pro Audio, {}", name)
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentThread.restype = ctypes.c_void_p
    number, name = THREAD_PRIORITIES[role]
    if kernel.SetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()), number):
        return Priority("high", "{}", name)
    return Priority("ordinary", "{}", "Windows refused a higher one")


def _join_mmcss(role: Role) -> str:
    """Enter the multimedia class; return the name of the priority in it, empty where refused."""
    if sys.platform != "win32":
        return ""
    avrt = ctypes.WinDLL("avrt")
    avrt.AvSetMmThreadCharacteristicsW.restype = ctypes.c_void_p
    # The handle is never given back: the thread stays in the class until it ends.
    handle = avrt.AvSetMmThreadCharacteristicsW("Pro Audio", ctypes.byref(ctypes.c_ulong(0)))
    if not handle:
        return ""
    number, name = AVRT_PRIORITIES[role]
    return name if avrt.AvSetMmThreadPriority(ctypes.c_void_p(handle), number) else "normal"


@cache
def _keep_short_timers() -> None:
    """Have timers of 1 ms, and keep Windows 11 from saving power on a window that is minimised."""
    if sys.platform != "win32":
        return
    ctypes.WinDLL("winmm").timeBeginPeriod(1)
    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    # PROCESS_POWER_THROTTLING_STATE of processthreadsapi.h: version 1, control EXECUTION_SPEED
    # and IGNORE_TIMER_RESOLUTION, set neither; older systems refuse it and need it not.
    state = (ctypes.c_ulong * 3)(1, 0x1 | 0x4, 0)
    kernel.SetProcessInformation(process, 4, ctypes.byref(state), ctypes.sizeof(state))


def _raise_on_macos(role: Role) -> Priority:
    system = ctypes.CDLL(None)
    if role is Role.TICKS and _constrain_time(system):
        return Priority("real-time", "{}", "time constraint")
    # QOS_CLASS_USER_INTERACTIVE of sys/qos.h
    if system.pthread_set_qos_class_self_np(0x21, 0) == 0:
        return Priority("high", "{}", "QoS user-interactive")
    return Priority("ordinary", "{}", "macOS refused a higher one")


def _constrain_time(system: ctypes.CDLL) -> bool:
    """Ask for THREAD_TIME_CONSTRAINT_POLICY of mach/thread_policy.h, without a period."""
    timebase = (ctypes.c_uint32 * 2)()
    system.mach_timebase_info(ctypes.byref(timebase))
    computation, constraint = (
        mach_time(each_s, *timebase) for each_s in (COMPUTATION_S, CONSTRAINT_S)
    )
    policy = (ctypes.c_uint32 * 4)(0, computation, constraint, 1)
    system.pthread_self.restype = ctypes.c_void_p
    thread = system.pthread_mach_thread_np(ctypes.c_void_p(system.pthread_self()))
    return bool(system.thread_policy_set(thread, 2, ctypes.byref(policy), len(policy)) == 0)


def mach_time(duration_s: float, numerator: int, denominator: int) -> int:
    """Return a duration in units of mach_absolute_time, of numerator / denominator ns each."""
    return round(1e9 * duration_s * denominator / numerator)

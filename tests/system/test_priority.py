"""RealtimeKit: the real service on a bus of its own, and buses that hang or reply nonsense."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.system import priority
from cstalk_bridge.system.priority import (
    Priority,
    Role,
    mach_time,
    priority_summary,
    raise_priority,
    with_priorities,
)
from tests.unprivileged import raise_without_rights
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


if sys.platform != "linux":
    pytest.skip("RealtimeKit is Linux's", allow_module_level=True)

RULE = """
polkit.addRule(function(action, subject) {
    if (action.id == "org.freedesktop.RealtimeKit1.acquire-high-priority" &&
        subject.user == "nobody") { return polkit.Result.YES; }
});
"""
POLKIT, KIT = Path("/usr/lib/polkit-1/polkitd"), Path("/usr/libexec/rtkit-daemon")
RULES = Path("/etc/polkit-1/rules.d")
BUS_CONFIG = Path("/usr/share/dbus-1/system.conf")
SERVICES = ("org.freedesktop.PolicyKit1", priority.REALTIMEKIT_NAME)
STRANGER = 1


def is_installed() -> bool:
    tools = all(map(shutil.which, ("dbus-daemon", "unshare")))
    files = all(path.exists() for path in (POLKIT, KIT, RULES, BUS_CONFIG))
    return os.geteuid() == 0 and tools and files


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    """Give the address of a system bus with polkit, which allows it to nobody, and RealtimeKit."""
    jeepney = pytest.importorskip("jeepney")
    from jeepney.io.blocking import open_dbus_connection

    if not is_installed():
        pytest.skip("needs root, dbus, polkitd and rtkit")
    running: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules = folder / "rules"
        rules.mkdir()
        (rules / "nobody.rules").write_text(RULE)
        folder.chmod(0o755)
        rules.chmod(0o755)
        address = f"unix:path={folder / 'bus'}"
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": address}

        def start(*command: str) -> None:
            quiet = subprocess.DEVNULL
            running.append(subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet))

        def wait_for(service: str) -> None:
            asked = jeepney.message_bus.NameHasOwner(service)

            def is_running() -> bool:
                if not (folder / "bus").exists():
                    return False
                with open_dbus_connection(address) as connection:
                    return connection.send_and_get_reply(asked, timeout=5).body == (1,)

            wait_until(is_running, reason=f"{service} did not start")

        try:
            options = ("--nofork", "--nopidfile", f"--address={address}")
            start("dbus-daemon", f"--config-file={BUS_CONFIG}", *options)
            wait_for("org.freedesktop.DBus")
            mount = f"mount --bind {rules} {RULES} && exec {POLKIT}"
            start("unshare", "--mount", "sh", "-c", mount)
            start(str(KIT))
            for service in SERVICES:
                wait_for(service)
            yield address
        finally:
            for each in reversed(running):
                each.terminate()
            for each in running:
                each.wait(10)


def test_a_user_whom_polkit_allows_runs_at_high_priority(bus: str) -> None:
    summary, kernel = raise_without_rights(bus)
    assert summary == "Ticks and faces run at high priority (nice -15, -11 by RealtimeKit)."
    assert kernel == [[0, 0, -15, True], [0, 0, -11, True]]


def test_a_user_unknown_to_polkit_gets_advice(bus: str) -> None:
    summary, kernel = raise_without_rights(bus, uid=STRANGER)
    assert summary.startswith(
        "Ticks and faces run at ordinary priority (Operation not permitted); "
    )
    assert {nice for _, _, nice, _ in kernel} == {max(0, os.getpriority(os.PRIO_PROCESS, 0))}


@pytest.mark.parametrize("address", ["unix:path=/nowhere/at/all", "nonsense", "tcp:host=localhost"])
def test_without_a_bus_priority_is_not_raised(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    assert not priority.renice_by_realtimekit(threading.get_native_id(), -15)


@pytest.mark.parametrize(
    "greeting",
    [b"", b"OK 0123456789abcdef0123456789abcdef\r\n", b"\xff" * 40],
    ids=["silent", "greets no one", "nonsense"],
)
def test_a_bus_that_hangs_does_not_delay_the_start(
    greeting: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bus"
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path}")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        answers: list[bool] = []

        def ask() -> None:
            answers.append(priority.renice_by_realtimekit(threading.get_native_id(), -15))

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        connection, _ = listening.accept()
        with connection:
            connection.sendall(greeting)
            asking.join(20 * priority.REALTIMEKIT_TIMEOUT_S)
            assert answers == [False]


NO_BUS = "unix:path=/nowhere/at/all"
CAP_SYS_NICE, CAP_SYS_RESOURCE = 23, 24
FIFO = {
    role: Priority("real-time", "SCHED_FIFO {}", str(n))
    for role, n in zip(Role, (20, 10), strict=True)
}
NICE = Priority("high", "nice {}", "-5")
REFUSED = Priority("ordinary", "{}", "Operation not permitted", "grant it")

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own")
only_windows = pytest.mark.skipif(sys.platform != "win32", reason="Windows' own")


def may(capability: int) -> bool:
    status = Path("/proc/self/status")
    if not status.exists():
        return False
    line = next(each for each in status.read_text().splitlines() if each.startswith("CapEff"))
    return bool(int(line.split()[1], 16) >> capability & 1)


raises_limits = pytest.mark.skipif(
    not may(CAP_SYS_RESOURCE), reason="raising limits needs CAP_SYS_RESOURCE"
)


@pytest.mark.skipif(not may(CAP_SYS_NICE), reason="needs CAP_SYS_NICE")
@pytest.mark.parametrize(("role", "priority"), [(Role.TICKS, 20), (Role.FACES, 10)])
def test_a_permitted_thread_runs_in_real_time_and_its_children_do_not(
    role: Role, priority: int
) -> None:
    if sys.platform != "linux":
        return
    kernel: list[tuple[int, int]] = []

    def look() -> None:
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
        kernel.append((policy, os.sched_getparam(0).sched_priority))

    def work() -> Priority:
        obtained = raise_priority(role)
        look()
        child = threading.Thread(target=look)
        child.start()
        child.join()
        return obtained

    with ThreadPoolExecutor(1) as pool:
        obtained = pool.submit(work).result()
    assert kernel == [(os.SCHED_FIFO, priority), (os.SCHED_OTHER, 0)]
    assert obtained == FIFO[role]


@only_linux
def test_without_permission_the_reason_and_advice_are_reported() -> None:
    summary, kernel = raise_without_rights(NO_BUS)
    assert kernel == [[0, 0, max(0, os.getpriority(os.PRIO_PROCESS, 0)), True]] * 2
    assert summary.startswith(
        "Ticks and faces run at ordinary priority (Operation not permitted); "
    )
    assert '- rtprio 20" into /etc/security/limits.conf' in summary


@raises_limits
def test_the_nice_limit_is_used_fully() -> None:
    summary, kernel = raise_without_rights(NO_BUS, nice=33)
    assert summary == "Ticks and faces run at high priority (nice -13, -11)."
    assert [nice for _, _, nice, _ in kernel] == [-13, -11]
    assert all(is_reset for *_, is_reset in kernel)


@raises_limits
def test_a_real_time_limit_suffices_without_root() -> None:
    summary, kernel = raise_without_rights(NO_BUS, rtprio=20)
    assert summary == "Ticks and faces run at real-time priority (SCHED_FIFO 20, 10)."
    assert [(policy, priority) for policy, priority, *_ in kernel] == [(1, 20), (1, 10)]


@raises_limits
def test_face_threads_never_outrank_tick_threads() -> None:
    summary, kernel = raise_without_rights(NO_BUS, rtprio=15, nice=25)
    assert summary == "Ticks and faces run at high priority (nice -5)."
    assert [policy for policy, *_ in kernel] == [0, 0]


@only_windows
@pytest.mark.parametrize("role", Role)
def test_on_windows_process_and_thread_priority_are_raised(role: Role) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(raise_priority, role).result().level in {"real-time", "high"}


@pytest.mark.parametrize(
    ("obtained", "summary"),
    [
        ({Role.TICKS: FIFO[Role.TICKS]}, "Ticks run at real-time priority (SCHED_FIFO 20)."),
        (FIFO, "Ticks and faces run at real-time priority (SCHED_FIFO 20, 10)."),
        (
            dict.fromkeys(reversed(Role), NICE),
            "Ticks and faces run at high priority (nice -5).",
        ),
        (
            {Role.FACES: REFUSED, Role.TICKS: NICE},
            "Ticks run at high priority (nice -5), "
            "faces at ordinary priority (Operation not permitted); grant it.",
        ),
        (
            dict.fromkeys(Role, REFUSED),
            "Ticks and faces run at ordinary priority (Operation not permitted); grant it.",
        ),
    ],
)
def test_one_sentence_describes_all_threads(obtained: dict[Role, Priority], summary: str) -> None:
    assert priority_summary(obtained) == summary


def test_tasks_run_after_their_thread_was_raised_and_one_notice_reports_it() -> None:
    notices: list[str] = []
    done: list[Role] = []
    both = threading.Barrier(2)

    def work(role: Role) -> None:
        both.wait()
        done.append(role)

    tasks = with_priorities(
        {role: partial(work, role) for role in Role},
        lambda got: notices.append(priority_summary(got)),
    )
    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(task) for task in tasks.values()]:
            each.result()
    assert sorted(done) == sorted(Role)
    assert len(notices) == 1
    assert notices[0].startswith("Ticks")
    assert notices[0].endswith(".")


@pytest.mark.parametrize(
    ("timebase", "units"), [((1, 1), 2_000_000), ((125, 3), 48_000)], ids=["Intel", "Apple silicon"]
)
def test_macos_time_constraints_are_in_mach_units(timebase: tuple[int, int], units: int) -> None:
    assert mach_time(0.002, *timebase) == units
    assert mach_time(0.004, *timebase) < 1 << 8 * ctypes.sizeof(ctypes.c_uint32)

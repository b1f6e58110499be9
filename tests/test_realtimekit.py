"""RealtimeKit: the real service on a bus of its own, and buses that hang or talk nonsense."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge import realtimekit
from tests.unprivileged import raise_without_rights

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
SERVICES = ("org.freedesktop.PolicyKit1", realtimekit.NAME)
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
            deadline_s = time.monotonic() + 20
            while time.monotonic() < deadline_s:
                if (folder / "bus").exists():
                    with open_dbus_connection(address) as connection:
                        if connection.send_and_get_reply(asked, timeout=5).body == (1,):
                            return
                time.sleep(0.05)
            pytest.fail(f"{service} did not start")

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
    said, kernel = raise_without_rights(bus)
    assert said == "Ticks and faces run at high priority (nice -15, -11 by RealtimeKit)."
    assert kernel == [[0, 0, -15, True], [0, 0, -11, True]]


def test_a_user_whom_polkit_does_not_know_gets_the_remedy(bus: str) -> None:
    said, kernel = raise_without_rights(bus, uid=STRANGER)
    assert said.startswith("Ticks and faces run at ordinary priority (Operation not permitted); ")
    assert {nice for _, _, nice, _ in kernel} == {max(0, os.getpriority(os.PRIO_PROCESS, 0))}


@pytest.mark.parametrize("address", ["unix:path=/nowhere/at/all", "nonsense", "tcp:host=localhost"])
def test_no_bus_is_a_no(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    assert not realtimekit.renice(threading.get_native_id(), -15)


@pytest.mark.parametrize(
    "greeting",
    [b"", b"OK 0123456789abcdef0123456789abcdef\r\n", b"\xff" * 40],
    ids=["silent", "greets no one", "nonsense"],
)
def test_a_bus_that_hangs_holds_up_no_start(
    greeting: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bus"
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path}")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        answers: list[bool] = []

        def ask() -> None:
            answers.append(realtimekit.renice(threading.get_native_id(), -15))

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        connection, _ = listening.accept()
        with connection:
            connection.sendall(greeting)
            asking.join(20 * realtimekit.TIMEOUT_S)
            assert answers == [False]

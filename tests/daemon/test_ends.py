"""A run that loses its terminal shuts down in order and finishes its take."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.bench.daemon_process import free_port
from cstalk_bridge.outputs.osc_messages import decode_packet, encode_message
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals and signals")

TIMEOUT_S = 40.0
TAKE_S = 0.7


class Running:
    """The command in a process of its own, with a take being recorded."""

    def __init__(self, folder: Path, redirect: str = "", **streams: int) -> None:
        self.takes = folder / "takes"
        self._port = free_port(socket.SOCK_DGRAM)
        config = folder / "config.yaml"
        config.write_text(
            f"device: cpu\nrecording: {{folder: {self.takes}}}\n"
            f"control: {{osc: '127.0.0.1:{self._port}'}}\n"
            "subjects: [{audio: {input: test}, links: ['livelink-face://127.0.0.1:9']}]\n"
        )
        command = f"exec {sys.executable} -m cstalk_bridge run --config {config} {redirect}"
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams},  # type: ignore[call-overload]
        )

    def record(self) -> None:
        """Begin a take as soon as the bridge listens."""
        time.monotonic() + TIMEOUT_S
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller:
            controller.settimeout(0.5)
            controller.connect(("127.0.0.1", self._port))

            def is_started() -> bool:
                with suppress(TimeoutError, ConnectionRefusedError):
                    controller.send(encode_message("/cstalk/record", "start"))
                    (message,) = decode_packet(controller.recv(2048))
                    return message.address == "/cstalk/ok"
                return False

            wait_until(is_started, TIMEOUT_S, reason="the bridge records nothing", interval_s=0.1)
            time.sleep(TAKE_S)

    def check_ended(self) -> None:
        """Check that it ends on its own, without a fault, and that its take is complete."""
        assert self.process.wait(TIMEOUT_S) == 0
        (take,) = self.takes.iterdir()
        assert take.suffix != ".recording"
        document = json.loads((take / "take.json").read_text())
        assert document["frames"] > 0
        assert "problem" not in document
        (curves,) = take.glob("*.csv")
        assert curves.read_text().count("\n") == document["frames"] + 1


@contextmanager
def running(folder: Path, redirect: str = "", **streams: int) -> Iterator[Running]:
    started = Running(folder, redirect, **streams)
    try:
        started.record()
        yield started
    finally:
        started.process.kill()
        started.process.wait()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_shuts_the_run_down_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as bridge:
        bridge.process.send_signal(number)
        bridge.check_ended()


def test_a_run_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with running(tmp_path) as bridge:
            bridge.process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                bridge.process.wait(1.0)
            bridge.process.send_signal(signal.SIGTERM)
            bridge.check_ended()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_run_works_with_closed_standard_streams(tmp_path: Path, closed: str) -> None:
    with running(tmp_path, closed) as bridge:
        bridge.process.send_signal(signal.SIGTERM)
        bridge.check_ended()


def test_closing_the_reader_of_standard_error_ends_the_run(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with running(tmp_path, stderr=writing) as bridge:
        os.close(writing)
        os.close(reading)
        bridge.check_ended()


def test_closing_the_readers_of_both_streams_ends_the_run(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with running(tmp_path, stdout=writing, stderr=writing) as bridge:
        os.close(writing)
        os.close(reading)
        bridge.check_ended()


def test_a_closed_terminal_window_ends_the_run(tmp_path: Path) -> None:
    import pty

    window, terminal = pty.openpty()
    with running(tmp_path, stdin=terminal, stdout=terminal, stderr=terminal) as bridge:
        os.close(terminal)
        os.close(window)
        # A shell passes the hang-up of its window on.
        bridge.process.send_signal(signal.SIGHUP)
        bridge.check_ended()


def test_a_lost_take_is_reported_at_the_end_as_well(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with running(tmp_path, stderr=writing) as bridge:
        os.close(writing)
        shutil.rmtree(bridge.takes, ignore_errors=True)
        time.sleep(1.0)
        bridge.process.send_signal(signal.SIGTERM)
        assert bridge.process.wait(TIMEOUT_S) == 2
    with os.fdopen(reading, encoding="utf-8") as output:
        lines = output.read().splitlines()
    assert "its files were removed while it was recorded" in lines[-1]
    assert lines[-1].startswith("cstalk-bridge: ")

from __future__ import annotations

import os
import time
from importlib import import_module

import pytest

from bridge.bench.daemon_process import DaemonProcess
from bridge.bench.machine import machine, resident_mb
from bridge.bench.options import Options
from bridge.bench.receiver import ReceiverProcess
from bridge.bench.sections import SECTIONS, run_bench
from bridge.bench.startup import answer
from bridge.errors import UserError


def test_unknown_sections_are_all_named() -> None:
    with pytest.raises(UserError, match=r"'pakets'(.|\n)*'nothing'"):
        run_bench(["pakets", "nothing"], Options())


def test_every_section_has_its_module() -> None:
    for name in SECTIONS:
        assert callable(import_module(f"bridge.bench.{name}").measure)


def test_the_machine_is_named() -> None:
    text = "\n".join(machine())
    assert str(os.cpu_count()) in text
    assert "torch" in text


def test_memory_is_read_where_the_system_tells_it() -> None:
    held_mb = resident_mb(os.getpid())
    assert held_mb is None or 10 < held_mb < 100_000


def test_a_command_is_timed_and_its_imports_are_seen() -> None:
    took_s, imports_torch = answer(["--help"])
    assert 0 < took_s < 60
    assert not imports_torch


def test_the_daemon_and_the_receiver_run_as_processes_of_their_own() -> None:
    with ReceiverProcess() as receiver, DaemonProcess("test", receiver.port) as running:
        time.sleep(1.0)
        measured = running.stop()
        arrivals = receiver.stop()
    assert len(arrivals.frames) > 20
    assert arrivals.jaws[-1] == 0.0
    assert {"block", "hop", "inference", "buffer", "tick", "total"} <= set(measured.spreads)
    assert measured.drops.keys() >= {"late", "ticks"}


def test_a_daemon_that_does_not_start_is_said() -> None:
    with pytest.raises(UserError, match="did not start"), DaemonProcess("no such device", 9):
        pass

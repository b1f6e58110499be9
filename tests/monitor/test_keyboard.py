"""Keys of a real pseudo-terminal, which is afterwards as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bridge.monitor.keyboard import SEQUENCE, Keyboard

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

import termios

IN_BACKGROUND = """
import os, sys, termios, fcntl
from bridge.monitor.keyboard import Keyboard
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if not (child := os.fork()):
    os.setpgid(0, 0)
    with Keyboard(0) as keyboard:
        os._exit(40 + keyboard.is_open)
with Keyboard(0) as keyboard:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), keyboard.is_open)
"""


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = os.openpty()
    try:
        yield master, slave
    finally:
        os.close(master)
        os.close(slave)


def test_keys_come_at_once_and_unseen_and_the_terminal_is_left_as_it_was() -> None:
    with terminal() as (master, slave):
        before = termios.tcgetattr(slave)
        with Keyboard(slave) as keyboard:
            assert keyboard.is_open
            assert not termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON)
            os.write(master, b"2")
            assert keyboard.read(5.0) == "2"
            assert keyboard.read(0.0) == ""
        assert termios.tcgetattr(slave) == before


def test_an_error_within_leaves_the_terminal_as_it_was() -> None:
    with terminal() as (_, slave):
        before = termios.tcgetattr(slave)
        with pytest.raises(RuntimeError), Keyboard(slave):
            raise RuntimeError
        assert termios.tcgetattr(slave) == before


def test_arrows_are_no_letters() -> None:
    with terminal() as (master, slave), Keyboard(slave) as keyboard:
        os.write(master, b"\x1b[A\x1bOPm\x1b[15;2~\x1bq-\x1b")
        time.sleep(0.05)
        assert keyboard.read(5.0) == "m-"
    assert SEQUENCE.sub("", "\xe0Hm\x00;") == "m"


def test_without_a_terminal_there_are_no_keys() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"q")
    for descriptor in (reading, -1):
        with Keyboard(descriptor) as keyboard:
            assert not keyboard.is_open
            assert keyboard.read(0.0) == ""
    os.close(reading)
    os.close(writing)


def test_a_terminal_that_goes_away_gives_no_keys() -> None:
    master, slave = os.openpty()
    with Keyboard(slave) as keyboard:
        os.close(master)
        assert keyboard.read(0.1) == ""
    os.close(slave)


def test_in_the_background_nothing_is_read_which_would_halt_the_bridge() -> None:
    with terminal() as (_, slave):
        process = subprocess.run(
            [sys.executable, "-c", IN_BACKGROUND],
            stdin=slave, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    assert process.stdout.split() == ["40", "True"]

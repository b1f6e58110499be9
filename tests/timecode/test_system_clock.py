"""Output of the clock tools, as printed on real machines, and arbitrary text."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.timecode.chase import Chase, ChaseMode
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.system_clock import (
    UNKNOWN_DISCIPLINE,
    ClockReference,
    Discipline,
    SystemSource,
    parse_chrony,
    parse_timedatectl,
    parse_w32tm,
    system_discipline,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


TAIL = "0.000001000,0.000020000,-10.500,0.001,0.020,0.012000000,0.001000000,64.3,Normal\n"
BY_NTP = f"A29FC801,162.159.200.1,4,1795262941.489955986,-0.000250000,{TAIL}"
BY_PTP = f"50484330,PHC0,1,1795262941.489955986,0.000000040,{TAIL}"
ALONE = (
    "7F7F0101,,8,1795262941.489955986,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,"
    "0.000000000,0.000000000,0.0,Normal\n"
)
UNSET = (
    "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,"
    "1.000000000,0.0,Not synchronised\n"
)
WINDOWS = """\
Sprungindikator: {leap}
Stratum: 4 (Sekundärreferenz - synchr. über (S)NTP)
Präzision: -23 (119.209ns pro Tick)
Stammverzögerung: 0.0312500s
Stammabweichung: 7.7902343s
Referenz-ID: 0xC0A80001 (Quell-IP: 192.168.0.1)
Letzte erfolgr. Synchronisierungszeit: 19.06.2026 09:14:02
Quelle: {source}
Abrufintervall: 10 (1024s)
"""


@pytest.mark.parametrize(
    ("text", "expected", "label"),
    [
        (
            BY_NTP,
            Discipline(ClockReference.NTP, "162.159.200.1", 0.00025),
            "NTP 162.159.200.1 +0.250 ms",
        ),
        (BY_PTP, Discipline(ClockReference.PTP, "PHC0", -4e-8), "PTP PHC0 -0.000 ms"),
        (ALONE, Discipline(ClockReference.NONE), "not synchronised"),
        (UNSET, Discipline(ClockReference.NONE), "not synchronised"),
        ("506 Cannot talk to daemon\n", UNKNOWN_DISCIPLINE, "unknown"),
    ],
)
def test_chrony(text: str, expected: Discipline, label: str) -> None:
    assert parse_chrony(text) == expected
    assert str(expected) == label


def test_timedatectl() -> None:
    assert parse_timedatectl("NTP=yes\nNTPSynchronized=yes\n").steering is ClockReference.NTP
    assert parse_timedatectl("NTP=yes\nNTPSynchronized=no\n").steering is ClockReference.NONE
    assert parse_timedatectl("Failed to connect to bus\n") == UNKNOWN_DISCIPLINE


def test_w32tm_in_any_language() -> None:
    good = WINDOWS.format(leap="0(Keine Warnung)", source="time.windows.com,0x9")
    assert parse_w32tm(good) == Discipline(ClockReference.NTP, "time.windows.com")
    unset = WINDOWS.format(leap="3(nicht synchronisiert)", source="time.windows.com,0x9")
    assert parse_w32tm(unset).steering is ClockReference.NONE
    alone = WINDOWS.format(leap="0(Keine Warnung)", source="Local CMOS Clock")
    assert parse_w32tm(alone).steering is ClockReference.NONE
    assert parse_w32tm("Der Dienst wurde nicht gestartet. (0x80070426)") == UNKNOWN_DISCIPLINE


@given(st.text(max_size=400))
def test_any_output_is_parsed_without_a_message(text: str) -> None:
    for parse in (parse_chrony, parse_timedatectl, parse_w32tm):
        assert isinstance(parse(text), Discipline)


def test_the_first_tool_with_an_answer_is_used() -> None:
    asked: list[str] = []

    def output(command: Sequence[str]) -> str:
        asked.append(command[0])
        return "NTPSynchronized=yes\n" if command[0] == "timedatectl" else ""

    assert system_discipline("linux", output).steering is ClockReference.NTP
    assert asked == ["chronyc", "timedatectl"]
    assert system_discipline("darwin", output) == UNKNOWN_DISCIPLINE
    assert system_discipline("win32", output) == UNKNOWN_DISCIPLINE


def test_this_machine_is_queried_without_harm() -> None:
    assert isinstance(system_discipline(sys.platform), Discipline)


def label_of(discipline: Discipline) -> str:
    asked = threading.Event()

    def ask() -> Discipline:
        asked.set()
        return discipline

    source = SystemSource(Chase(FRAME_RATES["25"], ChaseMode.FREE), discipline=ask)
    try:
        assert asked.wait(5)
        for _ in range(500):
            if source.text != "system clock":
                break
            threading.Event().wait(0.001)
        return source.text
    finally:
        source.close()


def test_the_clock_discipline_is_reported() -> None:
    found = Discipline(ClockReference.NTP, "pool.ntp.org", 0.00012)
    assert label_of(found) == "system clock (NTP pool.ntp.org +0.120 ms)"


def test_an_unknown_clock_discipline_is_not_reported() -> None:
    assert label_of(UNKNOWN_DISCIPLINE) == "system clock"

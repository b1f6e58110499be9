"""Findings as lines, as JSON, and in terminals of any width."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from bridge.doctor.check import Answer
from bridge.doctor.clicks import Guide
from bridge.doctor.finding import fault, ok, warning
from bridge.doctor.report import document, faults_alone, is_faulty, plain_lines, summary
from bridge.doctor.view import findings, guide_views

WELL = Answer("sound", (ok("Ada", "is [bold]well[/bold]"),))
SO_SO = Answer("sound", (warning("Ben", "is quiet", "speak up"),))
BAD = Answer("network", (ok("a", "fine"), fault("livelink-face://x", "nobody listens", "start it")))


@pytest.mark.parametrize(
    ("found", "words", "fails"),
    [
        ([WELL], "Nothing is at fault.", False),
        ([WELL, SO_SO], "1 warning; nothing is at fault.", False),
        ([WELL, SO_SO, SO_SO, BAD], "1 fault and 2 warnings.", True),
        ([BAD, BAD], "2 faults.", True),
    ],
)
def test_the_sum_says_whether_anything_is_at_fault(
    found: list[Answer], words: str, fails: bool
) -> None:
    assert (summary(found), is_faulty(found)) == (words, fails)


def test_a_line_has_state_topic_place_words_and_remedy() -> None:
    assert list(plain_lines(BAD)) == [
        "ok      network: a: fine",
        "fault   network: livelink-face://x: nobody listens; start it",
    ]


def test_json_holds_everything() -> None:
    told = json.loads(document([WELL, BAD], [Guide("Unreal", ("click",))]))
    assert (told["faults"], told["warnings"]) == (1, 0)
    assert told["findings"][-1] == {
        "topic": "network",
        "state": "fault",
        "where": "livelink-face://x",
        "what": "nobody listens",
        "remedy": "start it",
    }
    assert told["guides"] == [{"title": "Unreal", "steps": ["click"]}]


def test_what_is_to_be_mended_first_are_the_faults_alone() -> None:
    assert [answer.findings for answer in faults_alone([WELL, SO_SO, BAD])] == [BAD.findings[1:]]


@pytest.mark.parametrize("width", [20, 40, 200])
def test_nothing_is_lost_or_too_wide_in_any_terminal(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, highlight=False, force_terminal=True)
    for answer in (WELL, SO_SO, BAD):
        console.print(findings(answer, is_ascii=False))
    for view in guide_views([Guide("Unreal", ("click here", "click there"))]):
        console.print(view)
    plain = Console(file=io.StringIO(), width=width, no_color=True)
    for answer in (WELL, SO_SO, BAD):
        plain.print(findings(answer, is_ascii=True))
    shown = plain.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= width
    joined = "".join(shown.split())
    assert "is[bold]well[/bold]" in joined
    assert "nobodylistens->startit" in joined
    assert shown.isascii()

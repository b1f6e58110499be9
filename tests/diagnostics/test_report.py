"""What to click: for the subject, the address and the port of the config."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from cstalk_bridge.config.schema import SubjectConfig
from cstalk_bridge.diagnostics.checks import CheckResult, fault, ok, warning
from cstalk_bridge.diagnostics.report import (
    findings_table,
    guide_tables,
    is_faulty,
    json_report,
    only_faults,
    plain_lines,
    setup_guides,
    summary,
)
from cstalk_bridge.outputs.parse import parse_link_url
from cstalk_bridge.outputs.protocol import SetupGuide


def subject(name: str, *urls: str) -> SubjectConfig:
    return SubjectConfig(name=name, links=tuple(map(parse_link_url, urls)))


def text(guide: SetupGuide) -> str:
    return "\n".join((guide.title, *guide.steps))


def test_an_arkit_guide_names_subject_plugin_and_field() -> None:
    (guide,) = setup_guides([subject("Ada", "livelink-face://127.0.0.1")], [])
    assert "on this machine" in guide.title
    for words in (
        "Apple ARKit Face Support",
        "ARKit Face Subj",
        "LLink Face Subj",
        "Ada is listed",
    ):
        assert words in text(guide)


def test_an_unusual_port_is_pointed_out() -> None:
    (guide,) = setup_guides([subject("Ada", "livelink-face://10.0.0.5:11112")], [])
    assert "Unreal listens at port 11111; 11112 must have been set there" in text(guide)


def test_subjects_with_one_target_share_a_guide() -> None:
    link = "livelink-face://10.0.0.5"
    (guide,) = setup_guides([subject("Ada", link), subject("Ben", link)], [])
    assert "Ada, Ben" in text(guide)
    assert "on 10.0.0.5" in guide.title


def test_a_device_open_to_all_is_found_at_the_addresses_of_this_machine() -> None:
    ada = subject("Ada", "metahuman://0.0.0.0:14785?allow=10.0.0.5")
    (guide,) = setup_guides([ada], ["10.0.0.7", "192.168.1.7"])
    assert "address 10.0.0.7 or 192.168.1.7, port 14785" in text(guide)
    (alone,) = setup_guides([ada], [])
    assert "this machine's address" in text(alone)


def test_a_device_guide_names_the_subject_that_unreal_takes_and_its_settings() -> None:
    link = "metahuman://127.0.0.1:14785"
    (guide,) = setup_guides([subject("Ada", link), subject("Ben", link)], [])
    assert "Choose the subject there: Ada." in text(guide)
    assert "Ben" not in text(guide)
    for words in ("smoothing and interpolation to none", "Capture Neutrals"):
        assert words in text(guide)


def test_messages_have_their_port_and_names() -> None:
    osc, vmc = setup_guides([subject("Ada", "osc://10.0.0.5:9000/face", "vmc://10.0.0.5")], [])
    assert "port 9000" in text(osc)
    assert "/face/NAME" in text(osc)
    assert "39539" in text(vmc)
    assert "ARKit names in camel case, bone: head" in text(vmc)
    (other,) = setup_guides([subject("Ada", "vmc://10.0.0.5?casing=pascal&bone=none")], [])
    assert "ARKit names in pascal case, bone: none" in text(other)


WELL = CheckResult("sound", (ok("Ada", "is [bold]well[/bold]"),))
SO_SO = CheckResult("sound", (warning("Ben", "is quiet", "speak up"),))
BAD = CheckResult(
    "network", (ok("a", "fine"), fault("livelink-face://x", "nobody listens", "start it"))
)


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
    found: list[CheckResult], words: str, fails: bool
) -> None:
    assert (summary(found), is_faulty(found)) == (words, fails)


def test_a_line_has_state_topic_place_words_and_remedy() -> None:
    assert list(plain_lines(BAD)) == [
        "ok      network: a: fine",
        "fault   network: livelink-face://x: nobody listens; start it",
    ]


def test_json_holds_everything() -> None:
    told = json.loads(json_report([WELL, BAD], [SetupGuide("Unreal", ("click",))]))
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
    assert [answer.findings for answer in only_faults([WELL, SO_SO, BAD])] == [BAD.findings[1:]]


@pytest.mark.parametrize("width", [20, 40, 200])
def test_nothing_is_lost_or_too_wide_in_any_terminal(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, highlight=False, force_terminal=True)
    for answer in (WELL, SO_SO, BAD):
        console.print(findings_table(answer, is_ascii=False))
    for view in guide_tables([SetupGuide("Unreal", ("click here", "click there"))]):
        console.print(view)
    plain = Console(file=io.StringIO(), width=width, no_color=True)
    for answer in (WELL, SO_SO, BAD):
        plain.print(findings_table(answer, is_ascii=True))
    shown = plain.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= width
    joined = "".join(shown.split())
    assert "is[bold]well[/bold]" in joined
    assert "nobodylistens->startit" in joined
    assert shown.isascii()

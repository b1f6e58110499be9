"""Checks that pass, fail or hang; setup guides; and the report as text and JSON."""

from __future__ import annotations

import io
import json
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from cstalk_bridge.config.schema import SubjectConfig
from cstalk_bridge.diagnostics.report import (
    Check,
    CheckResult,
    Finding,
    FindingState,
    fault,
    findings_table,
    guide_tables,
    is_faulty,
    json_report,
    ok,
    only_faults,
    plain_lines,
    run_checks,
    setup_guides,
    summary,
    warning,
)
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.protocol import SetupGuide
from cstalk_bridge.outputs.registry import parse_link_url

if TYPE_CHECKING:
    from collections.abc import Iterator


def only(check: Check) -> Finding:
    (answer,) = run_checks([[check]])
    (finding,) = answer.findings
    return finding


def test_user_errors_become_faults_with_their_advice() -> None:
    def examine() -> Iterator[Finding]:
        yield ok("before", "is dropped")
        raise UserError(Problem("", "is bad", "fix it"), Problem("elsewhere", "is worse"))

    (answer,) = run_checks([[Check("topic", "here", examine)]])
    assert [(f.state, f.where, f.remedy) for f in answer.findings] == [
        (FindingState.FAULT, "here", "fix it"),
        (FindingState.FAULT, "elsewhere", ""),
    ]


def test_a_failing_check_is_a_fault_and_the_others_continue() -> None:
    def failing() -> list[Finding]:
        raise KeyError("odd\nthing")

    results = list(
        run_checks([[Check("a", "x", failing), Check("b", "y", lambda: [ok("y", "fine")])]])
    )
    assert results[0].findings[0].state is FindingState.FAULT
    assert "KeyError: 'odd\\nthing'" in results[0].findings[0].what
    assert results[1].findings == (ok("y", "fine"),)


def test_a_check_that_hangs_is_abandoned_in_time() -> None:
    never = threading.Event()

    def hang() -> list[Finding]:
        never.wait(60.0)
        return []

    start_s = time.monotonic()
    finding = only(Check("topic", "here", hang, timeout_s=0.2))
    assert time.monotonic() - start_s < 30.0
    assert finding.state is FindingState.FAULT
    assert finding.what == "no result within 0.2 s"
    never.set()


def test_checks_of_a_phase_run_concurrently_and_phases_in_sequence() -> None:
    meeting = threading.Barrier(2, timeout=20.0)
    done: list[str] = []

    def meet(name: str) -> list[Finding]:
        meeting.wait()
        done.append(name)
        return [ok(name, "")]

    def last() -> list[Finding]:
        return [ok("last", f"{len(done)}")]

    first = [Check("t", name, partial(meet, name)) for name in ("one", "two")]
    results = [answer.findings[0] for answer in run_checks([first, [Check("t", "last", last)]])]
    assert [finding.where for finding in results] == ["one", "two", "last"]
    assert results[-1].what == "2"


def subject(name: str, *urls: str) -> SubjectConfig:
    return SubjectConfig(name=name, links=tuple(map(parse_link_url, urls)))


def text(guide: SetupGuide) -> str:
    return "\n".join((guide.title, *guide.steps))


def test_an_arkit_guide_names_subject_plugin_and_field() -> None:
    (guide,) = setup_guides([subject("Ada", "livelink-face://127.0.0.1")], [])
    assert "on this machine" in guide.title
    for expected in (
        "Apple ARKit Face Support",
        "ARKit Face Subj",
        "LLink Face Subj",
        "Ada is listed",
    ):
        assert expected in text(guide)


def test_an_unusual_port_is_pointed_out() -> None:
    (guide,) = setup_guides([subject("Ada", "livelink-face://10.0.0.5:11112")], [])
    assert "Unreal listens at port 11111; 11112 must have been set there" in text(guide)


def test_subjects_with_one_target_share_a_guide() -> None:
    link = "livelink-face://10.0.0.5"
    (guide,) = setup_guides([subject("Ada", link), subject("Ben", link)], [])
    assert "Ada, Ben" in text(guide)
    assert "on 10.0.0.5" in guide.title


def test_a_device_open_to_all_is_listed_with_the_addresses_of_this_machine() -> None:
    ada = subject("Ada", "metahuman://0.0.0.0:14785?allow=10.0.0.5")
    (guide,) = setup_guides([ada], ["10.0.0.7", "192.168.1.7"])
    assert "address 10.0.0.7 or 192.168.1.7, port 14785" in text(guide)
    (alone,) = setup_guides([ada], [])
    assert "this machine's address" in text(alone)


def test_a_device_guide_names_the_unreal_subject_and_its_settings() -> None:
    link = "metahuman://127.0.0.1:14785"
    (guide,) = setup_guides([subject("Ada", link), subject("Ben", link)], [])
    assert "Choose the subject there: Ada." in text(guide)
    assert "Ben" not in text(guide)
    for expected in ("smoothing and interpolation to none", "Capture Neutrals"):
        assert expected in text(guide)


def test_guides_for_messages_name_port_and_addresses() -> None:
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
    ("found", "expected", "fails"),
    [
        ([WELL], "Nothing is at fault.", False),
        ([WELL, SO_SO], "1 warning; nothing is at fault.", False),
        ([WELL, SO_SO, SO_SO, BAD], "1 fault and 2 warnings.", True),
        ([BAD, BAD], "2 faults.", True),
    ],
)
def test_the_summary_states_whether_anything_is_at_fault(
    found: list[CheckResult], expected: str, fails: bool
) -> None:
    assert (summary(found), is_faulty(found)) == (expected, fails)


def test_a_line_has_state_topic_place_text_and_advice() -> None:
    assert list(plain_lines(BAD)) == [
        "ok      network: a: fine",
        "fault   network: livelink-face://x: nobody listens; start it",
    ]


def test_json_holds_everything() -> None:
    report = json.loads(json_report([WELL, BAD], [SetupGuide("Unreal", ("click",))]))
    assert (report["faults"], report["warnings"]) == (1, 0)
    assert report["findings"][-1] == {
        "topic": "network",
        "state": "fault",
        "where": "livelink-face://x",
        "what": "nobody listens",
        "remedy": "start it",
    }
    assert report["guides"] == [{"title": "Unreal", "steps": ["click"]}]


def test_faults_alone_are_listed_as_first_to_fix() -> None:
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

"""Checks that work, break, or never end."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from cstalk_bridge.diagnostics.checks import Check, Finding, FindingState, ok, run_checks
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator


def only(check: Check) -> Finding:
    (answer,) = run_checks([[check]])
    (finding,) = answer.findings
    return finding


def test_a_user_error_becomes_faults_with_their_remedies() -> None:
    def examine() -> Iterator[Finding]:
        yield ok("before", "is not kept")
        raise UserError(Problem("", "is bad", "mend it"), Problem("elsewhere", "is worse"))

    (answer,) = run_checks([[Check("topic", "here", examine)]])
    assert [(f.state, f.where, f.remedy) for f in answer.findings] == [
        (FindingState.FAULT, "here", "mend it"),
        (FindingState.FAULT, "elsewhere", ""),
    ]


def test_a_check_that_breaks_is_a_fault_and_the_others_go_on() -> None:
    def broken() -> list[Finding]:
        raise KeyError("odd\nthing")

    told = list(run_checks([[Check("a", "x", broken), Check("b", "y", lambda: [ok("y", "fine")])]]))
    assert told[0].findings[0].state is FindingState.FAULT
    assert "KeyError: 'odd\\nthing'" in told[0].findings[0].what
    assert told[1].findings == (ok("y", "fine"),)


def test_a_check_that_hangs_is_left_behind_in_time() -> None:
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


def test_checks_of_a_phase_work_at_once_and_phases_one_after_another() -> None:
    meeting = threading.Barrier(2, timeout=20.0)
    done: list[str] = []

    def meet(name: str) -> list[Finding]:
        meeting.wait()
        done.append(name)
        return [ok(name, "")]

    def last() -> list[Finding]:
        return [ok("last", f"{len(done)}")]

    first = [Check("t", name, partial(meet, name)) for name in ("one", "two")]
    told = [answer.findings[0] for answer in run_checks([first, [Check("t", "last", last)]])]
    assert [finding.where for finding in told] == ["one", "two", "last"]
    assert told[-1].what == "2"

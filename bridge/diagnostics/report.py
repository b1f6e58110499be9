"""Checks with their findings, run concurrently within a time limit; the report as lines, JSON or
styled text; and setup guides.

A guide lists the steps in Unreal, and elsewhere, for the subjects and links of a config.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.registry import protocol_of
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from cstalk_bridge.config.schema import SubjectConfig
    from cstalk_bridge.outputs.protocol import LinkConfig, SetupGuide
    from cstalk_bridge.outputs.udp import Target


class FindingState(Enum):
    """How bad a finding is; the worst comes last."""

    OK = "ok"
    WARNING = "warning"
    """The face moves, but not as well or as surely as it could."""
    FAULT = "fault"
    """The face does not move, or not there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined: where, what it is, and the remedy.

    An `OK` may have a remedy too: what to try where the face still does not move.
    """

    state: FindingState
    where: str
    what: str
    remedy: str = ""


def ok(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding(FindingState.OK, where, what, remedy)


def warning(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that may become a fault."""
    return Finding(FindingState.WARNING, where, what, remedy)


def fault(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that keeps a face from moving."""
    return Finding(FindingState.FAULT, where, what, remedy)


def faults_of(error: UserError, where: str = "") -> list[Finding]:
    """Return a fault for each problem of an error; `where` is that of a problem without one."""
    return [fault(each.where or where, each.what, each.remedy) for each in error.problems]


CHECK_TIMEOUT_S = 10.0
"""Default time limit of a check."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check, and the heading of its findings.

    `examine` runs in a thread of its own and may wait for files and networks; what it raises
    becomes a fault, as does not being done after `timeout_s`.
    """

    topic: str
    where: str
    examine: Callable[[], Iterable[Finding]]
    timeout_s: float = CHECK_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found."""

    topic: str
    findings: tuple[Finding, ...]


class _RunningCheck:
    """A check at work, in a thread of its own."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self._findings: tuple[Finding, ...] | None = None
        self._worker = Worker(check.where, self._run)
        self._worker.start()

    def _run(self) -> None:
        check = self.check
        try:
            self._findings = tuple(check.examine())
        except UserError as error:
            self._findings = tuple(faults_of(error, check.where))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other checks count
            message = " ".join(str(error).split())
            what = f"this check failed: {type(error).__name__}: {message}"
            remedy = "please report it; the other checks still count"
            self._findings = (fault(check.where, what, remedy),)

    def result(self, started_s: float) -> CheckResult:
        """Wait for the findings, no longer than the check may take."""
        left_s = started_s + self.check.timeout_s - time.monotonic()
        self._worker.join(max(0.0, left_s))
        if self._findings is None:
            what = f"no result within {self.check.timeout_s:g} s"
            remedy = "something there hangs: restart it, or this machine"
            return CheckResult(self.check.topic, (fault(self.check.where, what, remedy),))
        return CheckResult(self.check.topic, self._findings)


def run_checks(phases: Sequence[Sequence[Check]]) -> Iterator[CheckResult]:
    """Yield a result for each check, in their order.

    Checks of one phase run at once, phases one after another: what measures time has one alone.
    """
    for phase in phases:
        started_s = time.monotonic()
        running = [_RunningCheck(check) for check in phase]
        for each in running:
            yield each.result(started_s)


UNTRIED = (
    "These follow the descriptions of Unreal's plugins; no real editor has been met yet "
    "(docs/tried.md), so names in menus may differ. docs/unreal.md has more."
)


def setup_guides(subjects: Sequence[SubjectConfig], addresses: Sequence[str]) -> list[SetupGuide]:
    """Return a guide for each place where faces go; `addresses` are this machine's, for others."""
    sharing: dict[tuple[str, Target], tuple[LinkConfig, list[str]]] = {}
    for subject in subjects:
        for link in subject.links:
            for target in link.targets:
                sharing.setdefault((link.protocol, target), (link, []))[1].append(subject.name)
    return [
        protocol_of(link).guide(link, target, names, addresses)
        for (_, target), (link, names) in sharing.items()
    ]


def is_faulty(found: Sequence[CheckResult]) -> bool:
    """Whether anything keeps a face from moving."""
    return bool(_count(found, FindingState.FAULT))


def summary(found: Sequence[CheckResult]) -> str:
    """Return the numbers of faults and warnings as a sentence."""
    faults, warnings = _count(found, FindingState.FAULT), _count(found, FindingState.WARNING)
    if not faults and not warnings:
        return "Nothing is at fault."
    counts = [
        f"{count} {word}{'s' * (count > 1)}"
        for count, word in ((faults, "fault"), (warnings, "warning"))
        if count
    ]
    return f"{' and '.join(counts)}{'' if faults else '; nothing is at fault'}."


def only_faults(found: Sequence[CheckResult]) -> Iterator[CheckResult]:
    """Yield the results with their faults alone: what to fix first."""
    for result in found:
        faults = tuple(each for each in result.findings if each.state is FindingState.FAULT)
        if faults:
            yield replace(result, findings=faults)


def plain_lines(result: CheckResult) -> Iterator[str]:
    """Yield a line for each finding, its remedy behind it."""
    for finding in result.findings:
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        yield f"{finding.state.value:<7} {result.topic}: {finding.where}: {finding.what}{remedy}"


def plain_guides(guides: Sequence[SetupGuide]) -> Iterator[str]:
    """Yield the guides line by line."""
    for guide in guides:
        yield ""
        yield guide.title
        yield from (f"  {number}. {step}" for number, step in enumerate(guide.steps, start=1))
    yield ""
    yield UNTRIED


def json_report(found: Sequence[CheckResult], guides: Sequence[SetupGuide]) -> str:
    """Return everything as JSON, for scripts and for reports of faults."""
    content = {
        "faults": _count(found, FindingState.FAULT),
        "warnings": _count(found, FindingState.WARNING),
        "findings": [
            {
                "topic": result.topic,
                "state": finding.state.value,
                "where": finding.where,
                "what": finding.what,
                "remedy": finding.remedy,
            }
            for result in found
            for finding in result.findings
        ],
        "guides": [{"title": guide.title, "steps": guide.steps} for guide in guides],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _count(found: Sequence[CheckResult], state: FindingState) -> int:
    return sum(finding.state is state for result in found for finding in result.findings)


STYLES = {FindingState.OK: "green", FindingState.WARNING: "yellow", FindingState.FAULT: "bold red"}
MARKS = {FindingState.OK: "✓", FindingState.WARNING: "!", FindingState.FAULT: "✗"}
ASCII_MARKS = {FindingState.OK: "+", FindingState.WARNING: "!", FindingState.FAULT: "X"}


def topic_heading(topic: str) -> Text:
    """Return the heading of a topic."""
    return Text(f"\n{topic}", "bold")


def findings_table(result: CheckResult, *, is_ascii: bool) -> Table:
    """Return the findings of one check; nothing in them is read as markup."""
    marks = ASCII_MARKS if is_ascii else MARKS
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=3, justify="right")
    grid.add_column(overflow="fold")
    for finding in result.findings:
        style = STYLES[finding.state]
        text = Text(
            f"{finding.where}: ", style if finding.state is not FindingState.OK else "default"
        )
        text.append(finding.what, "default")
        grid.add_row(Text(marks[finding.state], style), text)
        if finding.remedy:
            remedy = "bright_black" if finding.state is FindingState.OK else "cyan"
            grid.add_row("", Text(f"{'->' if is_ascii else '→'} {finding.remedy}", remedy))
    return grid


def guide_tables(guides: Sequence[SetupGuide]) -> Iterator[RenderableType]:
    """Yield the guides, their steps numbered."""
    for guide in guides:
        yield topic_heading(guide.title)
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=3, justify="right")
        grid.add_column(overflow="fold")
        for number, step in enumerate(guide.steps, start=1):
            grid.add_row(Text(str(number), "cyan"), Text(step))
        yield grid
    yield Padding(Text(UNTRIED, "bright_black"), (1, 0, 0, 0))

"""Reports findings and setup guides: plain lines, JSON, or styled text in a terminal.

A guide says what to click in Unreal, and elsewhere, for the subjects and links of a config.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cstalk_bridge.diagnostics.checks import FindingState
from cstalk_bridge.outputs.registry import protocol_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from cstalk_bridge.config.schema import SubjectConfig
    from cstalk_bridge.diagnostics.checks import CheckResult
    from cstalk_bridge.outputs.config import LinkConfig
    from cstalk_bridge.outputs.protocol import SetupGuide
    from cstalk_bridge.outputs.udp import Target


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
    """Yield the results with their faults alone: what to mend first."""
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

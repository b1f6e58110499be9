"""What was found, as lines of text or as one JSON document."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.doctor.clicks import UNTRIED
from bridge.doctor.finding import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.doctor.check import Answer
    from bridge.doctor.clicks import Guide


def is_faulty(found: Sequence[Answer]) -> bool:
    """Whether anything keeps a face from moving."""
    return bool(_count(found, State.FAULT))


def summary(found: Sequence[Answer]) -> str:
    """Return one sentence on all of it."""
    faults, warnings = _count(found, State.FAULT), _count(found, State.WARNING)
    if not faults and not warnings:
        return "Nothing is at fault."
    counts = [
        f"{count} {word}{'s' * (count > 1)}"
        for count, word in ((faults, "fault"), (warnings, "warning"))
        if count
    ]
    return f"{' and '.join(counts)}{'' if faults else '; nothing is at fault'}."


def faults_alone(found: Sequence[Answer]) -> Iterator[Answer]:
    """Yield the answers with nothing but their faults: what is to be mended first."""
    for answer in found:
        faults = tuple(each for each in answer.findings if each.state is State.FAULT)
        if faults:
            yield replace(answer, findings=faults)


def plain_lines(answer: Answer) -> Iterator[str]:
    """Yield a line for each finding, its remedy behind it."""
    for finding in answer.findings:
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        yield f"{finding.state.value:<7} {answer.topic}: {finding.where}: {finding.what}{remedy}"


def plain_guides(guides: Sequence[Guide]) -> Iterator[str]:
    """Yield the guides line by line."""
    for guide in guides:
        yield ""
        yield guide.title
        yield from (f"  {number}. {step}" for number, step in enumerate(guide.steps, start=1))
    yield ""
    yield UNTRIED


def document(found: Sequence[Answer], guides: Sequence[Guide]) -> str:
    """Return everything as JSON, for scripts and for reports of faults."""
    content = {
        "faults": _count(found, State.FAULT),
        "warnings": _count(found, State.WARNING),
        "findings": [
            {
                "topic": answer.topic,
                "state": finding.state.value,
                "where": finding.where,
                "what": finding.what,
                "remedy": finding.remedy,
            }
            for answer in found
            for finding in answer.findings
        ],
        "guides": [{"title": guide.title, "steps": guide.steps} for guide in guides],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _count(found: Sequence[Answer], state: State) -> int:
    return sum(finding.state is state for answer in found for finding in answer.findings)

"""The findings in a terminal: a mark, a line, and the remedy below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bridge.doctor.clicks import UNTRIED
from bridge.doctor.finding import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from bridge.doctor.check import Answer
    from bridge.doctor.clicks import Guide

STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "bold red"}
MARKS = {State.OK: "✓", State.WARNING: "!", State.FAULT: "✗"}
ASCII_MARKS = {State.OK: "+", State.WARNING: "!", State.FAULT: "X"}


def heading(topic: str) -> Text:
    """Return the heading of a topic."""
    return Text(f"\n{topic}", "bold")


def findings(answer: Answer, *, is_ascii: bool) -> Table:
    """Return the findings of one check; nothing in them is read as markup."""
    marks = ASCII_MARKS if is_ascii else MARKS
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=3, justify="right")
    grid.add_column(overflow="fold")
    for finding in answer.findings:
        style = STYLES[finding.state]
        text = Text(f"{finding.where}: ", style if finding.state is not State.OK else "default")
        text.append(finding.what, "default")
        grid.add_row(Text(marks[finding.state], style), text)
        if finding.remedy:
            remedy = "bright_black" if finding.state is State.OK else "cyan"
            grid.add_row("", Text(f"{'->' if is_ascii else '→'} {finding.remedy}", remedy))
    return grid


def guide_views(guides: Sequence[Guide]) -> Iterator[RenderableType]:
    """Yield the guides, their steps numbered."""
    for guide in guides:
        yield heading(guide.title)
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=3, justify="right")
        grid.add_column(overflow="fold")
        for number, step in enumerate(guide.steps, start=1):
            grid.add_row(Text(str(number), "cyan"), Text(step))
        yield grid
    yield Padding(Text(UNTRIED, "bright_black"), (1, 0, 0, 0))

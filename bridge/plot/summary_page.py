"""The pages of a summary: a table of the worst takes, and a plot of each of the very worst.

All takes are in `summary.csv` beside it, for spreadsheets.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Final

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.plot.panels import THEMES
from cstalk_bridge.plot.picture import POLICY, PictureJob, make_picture, style
from cstalk_bridge.plot.summary import FAULTS, summarise, table, worst_first
from cstalk_bridge.system.files import atomic_write
from cstalk_bridge.takes.file import safe_name
from cstalk_bridge.takes.reader import load_take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cstalk_bridge.plot.panels import Theme
    from cstalk_bridge.plot.picture import View
    from cstalk_bridge.plot.summary import TakeSummary
    from cstalk_bridge.takes.render.inputs import FoundInput


TABLE, PAGE = "summary.csv", "index.html"
PLOTTED: Final = 20
"""Takes of which a page is made: as many as a person looks at."""

LISTED: Final = 200
"""Takes in the table of the page."""

REPORT_EVERY: Final = 1000
"""Takes between two lines of progress."""


def write_summary(
    takes: Sequence[FoundInput], folder: Path, view: View, report: Callable[[str], None]
) -> list[TakeSummary]:
    """Write table and pages into a folder that is there; return all takes, the worst first.

    `report` is given lines about the progress.
    """
    summaries = []
    for summary in summarise(takes, view.rigmap):
        summaries.append(summary)
        if len(summaries) % REPORT_EVERY == 0:
            report(f"{len(summaries)} of {len(takes)} takes examined")
    worst = worst_first(summaries)
    with atomic_write(folder / TABLE, overwrite=True) as file:
        file.write(table(worst).encode("utf-8", "replace"))
    pages = {
        summary.name: name
        for number, summary in enumerate(worst[:PLOTTED], 1)
        if summary.faults and (name := _plot(summary, number, folder, view))
    }
    with atomic_write(folder / PAGE, overwrite=True) as file:
        file.write(page(worst, pages, THEMES[view.theme]).encode("utf-8", "replace"))
    return worst


def _plot(summary: TakeSummary, number: int, folder: Path, view: View) -> str:
    """Write the page of one take and return its name; none of one that has vanished meanwhile."""
    name = f"{number:02}_{safe_name(summary.name.replace('/', '_'))}.html"
    job = PictureJob((summary.path,), folder / name)
    try:
        make_picture(job, view, lambda path: load_take(path, summary.subject))
    except UserError:
        return ""
    return name


def counts_line(summaries: Sequence[TakeSummary]) -> str:
    """Return how many takes look wrong, and in what way, as one line."""
    counts = Counter(fault for summary in summaries for fault in summary.faults)
    damaged = sum(bool(summary.problem) for summary in summaries)
    wrong = sum(bool(summary.faults) for summary in summaries)
    kinds = [f"{counts[name]:,} {name}" for name in FAULTS if counts[name]]
    kinds += [f"{damaged:,} damaged"] if damaged else []
    text = f"{wrong + damaged:,} of {len(summaries):,} takes look wrong"
    return f"{text}: {', '.join(kinds)}" if kinds else text


def page(worst: Sequence[TakeSummary], pages: dict[str, str], theme: Theme) -> str:
    """Return the document; `pages` are the names of the plots by that of their take."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Summary of takes</title>\n<style>\n{style(theme)}"
        f"a {{ color: {theme.ink}; }}\ntd.wrong {{ color: {theme.warning}; }}\n"
        "section { margin-top: 32px; }\n</style>\n</head>\n<body>\n<section>\n"
        f"<h1>{escape(counts_line(worst))}</h1>\n<table>\n{''.join(_rows(worst, pages))}</table>\n"
        f"<p>All takes: {TABLE}</p>\n</section>\n<section>\n{''.join(_legend())}</section>\n"
        "</body>\n</html>\n"
    )


def _rows(worst: Sequence[TakeSummary], pages: dict[str, str]) -> Iterator[str]:
    heads = "".join(f"<th>{name}</th>" for name in ("take", "length", *FAULTS))
    yield f"<tr>{heads}</tr>\n"
    shown = [summary for summary in worst if summary.faults or summary.problem][:LISTED]
    for summary in shown:
        name = escape(summary.name)
        if summary.name in pages:
            name = f'<a href="{escape(pages[summary.name])}">{name}</a>'
        if summary.problem:
            text = escape(summary.problem)
            yield f'<tr><td>{name}</td><td class="wrong" colspan="{len(FAULTS) + 1}">{text}</td>'
            yield "</tr>\n"
            continue
        cells = "".join(_cell(summary, fault) for fault in FAULTS)
        yield f"<tr><td>{name}</td><td>{summary.duration_s:.1f} s</td>{cells}</tr>\n"


def _cell(summary: TakeSummary, fault: str) -> str:
    if fault not in summary.figures:
        return "<td></td>"
    mark = ' class="wrong"' if fault in summary.faults else ""
    return f"<td{mark}>{summary.figures[fault]:.3g} {FAULTS[fault].unit}</td>"


def _legend() -> Iterator[str]:
    yield "<h2>What the columns mean</h2>\n<table>\n"
    for name, fault in FAULTS.items():
        limit = f"from {fault.threshold:g} {fault.unit}".rstrip()
        yield f"<tr><td>{name}</td><td>{escape(fault.meaning)}, {limit} on</td></tr>\n"
    yield "</table>\n"

"""The results as a table: coloured on a terminal, plain elsewhere."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, TextIO

from models.evaluation.measures import MEASURES

if TYPE_CHECKING:
    from models.evaluation.results import Results, Run

NOTHING = "-"
MISSED, SEEN = "!", "*"
WIDEST_LABEL = 56
LEGEND = f"{MISSED} misses its bar   {SEEN} measured on a source that trained it"


def cell(results: Results, run: Run, key: str) -> str:
    """Return a value with its marks: `!` under the bar, `*` of data that trained the maker."""
    if key not in run.findings:
        return NOTHING
    value = run.findings[key].value
    text = f"{value:.{MEASURES[key].digits}f}" if math.isfinite(value) else NOTHING
    missed = MISSED if run.is_met(key) is False else ""
    return text + missed + (SEEN if results.is_seen(run, key) else "")


def bars_of(key: str) -> str:
    """Return the bars of a measure in words: `>= 0.9 (20 ms), >= 0.93 (60 ms)`."""
    bars = MEASURES[key].bars
    return ", ".join(str(bar) + (f" ({bar.from_ms} ms)" if bar.from_ms else "") for bar in bars)


def label_of(key: str) -> str:
    """Return the name of a measure with its unit."""
    measure = MEASURES[key]
    return f"{measure.label} [{measure.unit}]" if measure.unit else measure.label


def count_of(results: Results, key: str) -> str:
    """Return over how many clips (phones, rows, hops) a measure was taken."""
    counts = {run.findings[key].count for run in results.runs if key in run.findings}
    return "/".join(str(count) for count in sorted(counts))


def plain(results: Results) -> str:
    """Return the table as text with columns of spaces."""
    heads = ["measure", "n", "bar", *(run.title for run in results.runs)]
    lines: list[list[str] | str] = [heads]
    suite = ""
    for key in results.keys:
        if suite != (suite := key.partition(".")[0]):
            lines.append(f"\n{suite}: {results.titles[suite]}")
        lines.append(_row(results, key))
    rows = [line for line in lines if isinstance(line, list)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    text = [line if isinstance(line, str) else _spaced(line, widths) for line in lines]
    return "\n".join([*text, "", *_remarks(results)])


def print_table(results: Results, stream: TextIO | None = None) -> None:
    """Print the table on `stream` (standard output), coloured where it is a terminal."""
    out = stream or sys.stdout
    if out.isatty():
        _print_rich(results, out)
    else:
        print(plain(results), file=out, flush=True)


def _row(results: Results, key: str) -> list[str]:
    cells = [cell(results, run, key) for run in results.runs]
    return [label_of(key), count_of(results, key), bars_of(key), *cells]


def _spaced(row: list[str], widths: list[int]) -> str:
    first = [row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].ljust(widths[2])]
    rest = [text.rjust(width) for text, width in zip(row[3:], widths[3:], strict=True)]
    return "  ".join([*first, *rest]).rstrip()


def _remarks(results: Results) -> list[str]:
    remarks = [LEGEND]
    for maker in dict.fromkeys(run.maker for run in results.runs):
        runs = [run for run in results.runs if run.maker == maker]
        ways = " and ".join(dict.fromkeys(run.way for run in runs))
        data = ", ".join(runs[0].sources) or "nothing"
        remarks.append(f"{maker}: {ways}; trained on {data}")
    remarks += [f"{suite}: not measured: {why}" for suite, why in results.missing.items()]
    return remarks


def _print_rich(results: Results, out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("measure", max_width=WIDEST_LABEL)
    table.add_column("n", justify="right")
    table.add_column("bar")
    for run in results.runs:
        table.add_column(run.title, justify="right")
    suite = ""
    for key in results.keys:
        if suite != (suite := key.partition(".")[0]):
            table.add_section()
            table.add_row(Text(f"{suite}: {results.titles[suite]}", style="bold"))
        row = [Text(text) for text in _row(results, key)]
        for text, run in zip(row[3:], results.runs, strict=True):
            text.stylize({True: "green", False: "red", None: ""}[run.is_met(key)])
        table.add_row(*row)
    console = Console(file=out)
    console.print(table)
    for remark in _remarks(results):
        console.print(Text(remark))

"""The results as a table, coloured on a terminal and plain elsewhere, and as plots.

Plots show generated against captured curves, and measures over look-ahead.
"""

from __future__ import annotations

import base64
import html
import io
import math
import sys
from typing import TYPE_CHECKING, TextIO

import numpy as np

from cstalk_bridge.models.board import jaw, pucker
from cstalk_bridge.models.evaluation.catalog import MEASURES
from cstalk_bridge.models.evaluation.predictors import predict_face
from cstalk_bridge.models.evaluation.recordings import (
    MissingDataError,
    facegood,
    grid,
    ravdess_captured,
)
from cstalk_bridge.models.evaluation.request import OFFLINE
from cstalk_bridge.models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders, Recording
    from cstalk_bridge.models.evaluation.results import EvaluationRun, Results

    Curve = Callable[[NDArray[np.float32]], NDArray[np.float32]]


NOTHING = "-"
MISSED, TRAINED_ON = "!", "*"
WIDEST_LABEL = 56
LEGEND = f"{MISSED} misses its bar   {TRAINED_ON} trained on the data of this suite"


def cell(results: Results, run: EvaluationRun, key: str) -> str:
    """Return a value with its marks: `!` misses the bar, `*` trained on this data."""
    if key not in run.findings:
        return NOTHING
    value = run.findings[key].value
    text = f"{value:.{MEASURES[key].digits}f}" if math.isfinite(value) else NOTHING
    missed = MISSED if run.is_met(key) is False else ""
    return text + missed + (TRAINED_ON if results.is_seen(run, key) else "")


def bars_of(key: str) -> str:
    """Return the bars of a measure as text: `>= 0.9 (20 ms), >= 0.93 (60 ms)`."""
    bars = MEASURES[key].bars
    return ", ".join(str(bar) + (f" ({bar.from_ms} ms)" if bar.from_ms else "") for bar in bars)


def label_of(key: str) -> str:
    """Return the name of a measure with its unit."""
    measure = MEASURES[key]
    return f"{measure.label} [{measure.unit}]" if measure.unit else measure.label


def count_of(results: Results, key: str) -> str:
    """Return the number of clips (phones, rows, hops) that a measure was taken on."""
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
    for predictor in dict.fromkeys(run.predictor for run in results.runs):
        runs = [run for run in results.runs if run.predictor == predictor]
        ways = " and ".join(dict.fromkeys(run.way for run in runs))
        data = ", ".join(runs[0].sources) or "nothing"
        remarks.append(f"{predictor}: {ways}; trained on {data}")
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


EXAMPLE_S = 6.0
FIGURE_INCHES, ROW_INCHES = 13.0, 2.2
PANELS = (
    "strangers.gap_r",
    "acted.own_closed",
    "visemes.kathleen",
    "grid.jaw_r",
    "grid.pucker_r",
    "facegood.one_r",
    "ravdess.own_r",
    "targets.lve",
    "lips.closures",
    "lips.closing_ms",
    "silence.snr10",
    "emotion.recognised",
)
"""Measures drawn over the look-ahead."""
PANELS_PER_ROW = 3


def draw(
    results: Results,
    predictors: Sequence[Predictor],
    folders: Folders,
    lookahead_ms: int,
    kind: str,
) -> bytes:
    """Return a page: `kind` is .html (self-contained, with the table) or .png (plots alone).

    Curves are those of `predictors` at one look-ahead.
    """
    from matplotlib.figure import Figure

    examples = list(_examples(folders))
    panels = [key for key in PANELS if key in results.keys]
    bands = max(1, len(examples) - (-len(panels) // PANELS_PER_ROW))
    figure = Figure(figsize=(FIGURE_INCHES, ROW_INCHES * bands), layout="constrained")
    places = figure.add_gridspec(bands, PANELS_PER_ROW)
    for band, (clip, curve, names, title) in enumerate(examples):
        axes = figure.add_subplot(places[band, :])
        _draw_curves(axes, clip, curve, names, predictors, lookahead_ms)
        axes.set_title(title, loc="left", fontsize=10)
    for number, key in enumerate(panels):
        place = places[len(examples) + number // PANELS_PER_ROW, number % PANELS_PER_ROW]
        _draw_lookahead(figure.add_subplot(place), results, key)
    return _html(results, figure, lookahead_ms) if kind == ".html" else _png(figure)


def _examples(folders: Folders) -> Iterator[tuple[Recording, Curve, tuple[str, ...], str]]:
    try:
        for clip in grid(folders, 2)[:2]:
            yield clip, jaw, ("jawOpen",), f"{clip.name}: jaw and jawOpen"
            yield clip, pucker, ("mouthPucker",), f"{clip.name}: purse and mouthPucker"
    except MissingDataError:
        pass
    try:
        clip = facegood(folders, 1)[0]
        yield clip, jaw, ("mouth_stretch_c",), f"{clip.name}: jaw and mouth_stretch_c"
    except MissingDataError:
        pass
    try:
        for clip in ravdess_captured(folders, 2):
            title = f"{clip.name} ({clip.emotion}): jaw and AU25+AU26"
            yield clip, jaw, ("AU25_r", "AU26_r"), title
    except MissingDataError:
        pass


def _draw_curves(
    axes: Axes,
    clip: Recording,
    curve: Curve,
    names: tuple[str, ...],
    predictors: Sequence[Predictor],
    lookahead_ms: int,
) -> None:
    true = np.sum([clip.curves[name] for name in names], axis=0)
    shown = (clip.times_s >= 0) & (clip.times_s <= EXAMPLE_S)
    axes.fill_between(
        clip.times_s[shown], _unit(true[shown]), color="0.8", label="captured", linewidth=0
    )
    for predictor in predictors:
        face = predict_face(predictor, clip, lookahead_ms)
        if face is not None:
            generated = curve(face)[: round(EXAMPLE_S * ROW_RATE_HZ)]
            axes.plot(
                np.arange(len(generated)) / ROW_RATE_HZ,
                _unit(generated),
                lw=1.1,
                label=predictor.name,
            )
    axes.set(xlim=(0, min(EXAMPLE_S, clip.seconds)), ylim=(-0.02, 1.1), xlabel="s")
    axes.legend(loc="upper right", fontsize=8, ncols=4, frameon=False)


def _unit(curve: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a curve over its own 98th percentile: trackers and boards differ in scale."""
    return curve / max(float(np.percentile(np.abs(curve), 98)), 1e-3)


def _draw_lookahead(axes: Axes, results: Results, key: str) -> None:
    taken = [run for run in results.runs if key in run.findings]
    for predictor, way in dict.fromkeys((run.predictor, run.way) for run in taken):
        runs = [run for run in taken if (run.predictor, run.way) == (predictor, way)]
        values = [run.findings[key].value for run in runs]
        if runs[0].lookahead_ms is None:
            axes.axhline(values[0], lw=1, ls=":", color="0.4", label=predictor)
        else:
            waits_ms = sorted(zip([run.lookahead_ms or 0 for run in runs], values, strict=True))
            label = predictor if way == OFFLINE else f"{predictor}, {way}"
            axes.plot(*zip(*waits_ms, strict=True), "o-", lw=1.2, label=label)
    for bar in MEASURES[key].bars:
        limit = bar.at_least if bar.at_least is not None else bar.at_most
        if limit is not None:
            axes.axhline(limit, lw=0.8, ls="--", color="tab:green")
    axes.set_title(f"{key.partition('.')[0]}: {MEASURES[key].label}", loc="left", fontsize=8)
    axes.set_xlabel("look-ahead, ms", fontsize=8)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=7, frameon=False)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _html(results: Results, figure: Figure, lookahead_ms: int) -> bytes:
    picture = base64.b64encode(_png(figure)).decode("ascii")
    table = html.escape(plain(results))
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>CSTalk: evaluation</title>
<style>body {{ font: 14px/1.5 sans-serif; margin: 2rem; max-width: 1400px }}
pre {{ font: 12px/1.5 monospace; overflow-x: auto }} img {{ max-width: 100% }}</style>
<h1>Evaluation</h1>
<p>Captured curves in grey, generated ones in colour, each over its 98th percentile, at
{lookahead_ms} ms of look-ahead. Below: measures over look-ahead; the bar is dashed green.</p>
<img alt="Curves, and measures over look-ahead" src="data:image/png;base64,{picture}">
<pre>{table}</pre></html>
""".encode()

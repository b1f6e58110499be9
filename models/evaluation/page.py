"""The results as pictures: curves against truth, and what look-ahead buys."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.groups import jaw, pucker
from models.evaluation.loading import facegood, grid, ravdess_captured
from models.evaluation.makers import perform
from models.evaluation.measures import MEASURES
from models.evaluation.options import OFFLINE
from models.evaluation.recordings import MissingDataError
from models.evaluation.table import plain
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from models.evaluation.makers import Maker
    from models.evaluation.recordings import Folders, Recording
    from models.evaluation.results import Results

    Curve = Callable[[NDArray[np.float32]], NDArray[np.float32]]

SHOWN_S = 6.0
INCHES_WIDE, INCHES_BAND = 13.0, 2.2
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
"""What is drawn over the look-ahead."""
PANELS_WIDE = 3


def draw(
    results: Results, makers: Sequence[Maker], folders: Folders, lookahead_ms: int, kind: str
) -> bytes:
    """Return a page `kind` (.html, self-contained, with the table; .png, the pictures alone).

    Curves are those of `makers` at one look-ahead.
    """
    from matplotlib.figure import Figure

    examples = list(_examples(folders))
    panels = [key for key in PANELS if key in results.keys]
    bands = max(1, len(examples) - (-len(panels) // PANELS_WIDE))
    figure = Figure(figsize=(INCHES_WIDE, INCHES_BAND * bands), layout="constrained")
    places = figure.add_gridspec(bands, PANELS_WIDE)
    for band, (clip, curve, names, title) in enumerate(examples):
        axes = figure.add_subplot(places[band, :])
        _draw_curves(axes, clip, curve, names, makers, lookahead_ms)
        axes.set_title(title, loc="left", fontsize=10)
    for number, key in enumerate(panels):
        place = places[len(examples) + number // PANELS_WIDE, number % PANELS_WIDE]
        _draw_tradeoff(figure.add_subplot(place), results, key)
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
    makers: Sequence[Maker],
    lookahead_ms: int,
) -> None:
    true = np.sum([clip.curves[name] for name in names], axis=0)
    shown = (clip.times_s >= 0) & (clip.times_s <= SHOWN_S)
    axes.fill_between(
        clip.times_s[shown], _unit(true[shown]), color="0.8", label="captured", linewidth=0
    )
    for maker in makers:
        face = perform(maker, clip, lookahead_ms)
        if face is not None:
            made = curve(face)[: round(SHOWN_S * ROW_RATE_HZ)]
            axes.plot(np.arange(len(made)) / ROW_RATE_HZ, _unit(made), lw=1.1, label=maker.name)
    axes.set(xlim=(0, min(SHOWN_S, clip.seconds)), ylim=(-0.02, 1.1), xlabel="s")
    axes.legend(loc="upper right", fontsize=8, ncols=4, frameon=False)


def _unit(curve: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale a curve to its own 98th percentile: trackers and boards differ in size."""
    return curve / max(float(np.percentile(np.abs(curve), 98)), 1e-3)


def _draw_tradeoff(axes: Axes, results: Results, key: str) -> None:
    taken = [run for run in results.runs if key in run.findings]
    for maker, way in dict.fromkeys((run.maker, run.way) for run in taken):
        runs = [run for run in taken if (run.maker, run.way) == (maker, way)]
        values = [run.findings[key].value for run in runs]
        if runs[0].lookahead_ms is None:
            axes.axhline(values[0], lw=1, ls=":", color="0.4", label=maker)
        else:
            waits_ms = sorted(zip([run.lookahead_ms or 0 for run in runs], values, strict=True))
            label = maker if way == OFFLINE else f"{maker}, {way}"
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
<p>Captured curves grey, made ones in colour, each over its own 98th percentile, at
{lookahead_ms} ms of look-ahead. Below: what look-ahead buys; dashed green is the bar.</p>
<img alt="Curves against truth, and figures over look-ahead" src="data:image/png;base64,{picture}">
<pre>{table}</pre></html>
""".encode()

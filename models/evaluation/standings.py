"""Networks side by side, as Markdown: what each reaches, and how far one is ahead of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.evaluation.measures import MEASURES
from models.evaluation.suites.ravdess import UNSEEN
from models.evaluation.table import NOTHING, label_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from models.evaluation.columns import Cell, Column
    from models.evaluation.measures import Bar

LOOKAHEAD_MS = 60
"""Where a measure asks for no look-ahead of its own."""
OURS = "cstalk"
OTHERS = ("mood", "joint", "alive")
"""Suites that measure more than the network which makes the face, or another one."""
DISTANCES = tuple(
    f"{whose}{name}"
    for whose in ("targets.", "ravdess.", f"ravdess.{UNSEEN}")
    for name in ("lve", "eve", "region_distance")
)
"""Measures that have no bar of their own: one network is held against another."""
WANTED: dict[str, dict[str, float]] = {
    "cstalk-uncorrelated": {"lve": 0, "eve": 20, "region_distance": 20},
    "faceformer-like": {"lve": 0, "eve": 0},
    "emotalk-like": {"lve": 0, "eve": 0},
}
"""By how many percent our distances must at least be lower than another network's."""
LEGEND = (
    "`!` misses its bar, `*` was measured on a source that trained it. Look-ahead is"
    f" {LOOKAHEAD_MS} ms where nothing else is said."
)


def standings(columns: Sequence[Column]) -> str:
    """Return the tables and their legend, without a line end after the last."""
    lines = [*_rows(["measure", "bar", *(column.name for column in columns)])]
    for key, bar, lookahead_ms in _asked():
        cells = [column.cell(key, lookahead_ms) for column in columns]
        if any(cells):
            told = [_told(key, bar, cell) for cell in cells]
            lines.append(_row([_title(key, lookahead_ms), "" if bar is None else str(bar), *told]))
    ahead = list(_ahead(columns))
    return "\n".join([*lines, "", LEGEND, *(["", *ahead] if ahead else [])])


def _asked() -> Iterator[tuple[str, Bar | None, int]]:
    for key, measure in MEASURES.items():
        if key.partition(".")[0] in OTHERS:
            continue
        for bar in measure.bars:
            yield key, bar, bar.from_ms or LOOKAHEAD_MS
        if key in DISTANCES:
            yield key, None, LOOKAHEAD_MS


def _title(key: str, lookahead_ms: int) -> str:
    waits = f", {lookahead_ms} ms" if lookahead_ms != LOOKAHEAD_MS else ""
    return f"{key.partition('.')[0]}: {label_of(key)}{waits}"


def _told(key: str, bar: Bar | None, cell: Cell | None) -> str:
    if cell is None:
        return NOTHING
    missed = "!" if bar is not None and not bar.is_met(cell.value) else ""
    marks = missed + ("\\*" if cell.is_seen else "")
    return f"{cell.value:.{MEASURES[key].digits}f}{marks}"


def _ahead(columns: Sequence[Column]) -> Iterator[str]:
    """Yield a table of our distances against each other network's, in percent."""
    ours = next((column for column in columns if column.kind == OURS), None)
    others = [column for column in columns if column.kind in WANTED]
    if ours is None or not others:
        return
    keys = [key for key in DISTANCES if ours.cell(key, LOOKAHEAD_MS)]
    names = [f"{key.partition('.')[0]}: {MEASURES[key].label}" for key in keys]
    yield from _rows([f"{ours.name}, lower by", *names])
    for other in others:
        yield _row([f"than {other.name}", *(_lower(ours, other, key) for key in keys)])


def _lower(ours: Column, other: Column, key: str) -> str:
    own, rival = ours.cell(key, LOOKAHEAD_MS), other.cell(key, LOOKAHEAD_MS)
    if own is None or rival is None or rival.value <= 0:
        return NOTHING
    percent = 100 * (1 - own.value / rival.value)
    wanted = WANTED[other.kind].get(key.partition(".")[2].removeprefix(UNSEEN))
    if wanted is None:
        return f"{percent:.0f} %"
    missed = "!" if percent < wanted else ""
    return f"{percent:.0f} %{missed} (bar {wanted:g} %)"


def _rows(heads: list[str]) -> Iterator[str]:
    yield _row(heads)
    yield "|" + "---|" * len(heads)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""Writes the comparison of networks into `models/README.md`, from results of `--json`.

    python -m cstalk_bridge.models.evaluation --weights A.safetensors --lookahead-ms 20,60 \
        --json a.json
    python -m cstalk_bridge.models.evaluation --weights B.safetensors --lookahead-ms 20,60 \
        --json b.json
    python -m cstalk_bridge.models.evaluation.comparison a.json b.json

Columns are in the order of the files; results of the same weights in several files are joined. The
file may hold further tables between markers of another name (`--table`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.models.evaluation.catalog import MEASURES
from cstalk_bridge.models.evaluation.report import NOTHING, label_of
from cstalk_bridge.models.evaluation.request import EvaluationRequestError
from cstalk_bridge.models.evaluation.results import read_columns
from cstalk_bridge.models.evaluation.suites.known_faces import UNSEEN
from cstalk_bridge.models.files import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cstalk_bridge.models.evaluation.measures import Bar
    from cstalk_bridge.models.evaluation.results import Cell, Column


LOOKAHEAD_MS = 60
"""For measures whose bar names no look-ahead."""
OURS = "cstalk"
OTHERS = ("mood", "joint", "alive")
"""Suites that do not measure the face network alone."""
DISTANCES = tuple(
    f"{whose}{name}"
    for whose in ("targets.", "ravdess.", f"ravdess.{UNSEEN}")
    for name in ("lve", "eve", "region_distance")
)
"""Measures without a bar, by which networks are compared with each other."""
LEAST_GAINS: dict[str, dict[str, float]] = {
    "faceformer-like": {"lve": 0, "eve": 0},
    "emotalk-like": {"lve": 0, "eve": 0},
}
"""Least percentage by which our distances must be lower than another network's."""
LEGEND = (
    "`!` misses its bar, `*` was trained on the data of the suite. Look-ahead is"
    f" {LOOKAHEAD_MS} ms unless stated otherwise."
)


def comparison_tables(columns: Sequence[Column]) -> str:
    """Return the tables and their legend, without a trailing newline."""
    lines = [*_header(["measure", "bar", *(column.name for column in columns)])]
    for key, bar, lookahead_ms in _rows_to_show():
        cells = [column.cell(key, lookahead_ms) for column in columns]
        if any(cells):
            texts = [_cell_text(key, bar, cell) for cell in cells]
            lines.append(_row([_title(key, lookahead_ms), "" if bar is None else str(bar), *texts]))
    gains = list(_gains(columns))
    return "\n".join([*lines, "", LEGEND, *(["", *gains] if gains else [])])


def _rows_to_show() -> Iterator[tuple[str, Bar | None, int]]:
    for key, measure in MEASURES.items():
        if key.partition(".")[0] in OTHERS:
            continue
        for bar in measure.bars:
            yield key, bar, bar.from_ms or LOOKAHEAD_MS
        if key in DISTANCES:
            yield key, None, LOOKAHEAD_MS


def _title(key: str, lookahead_ms: int) -> str:
    lookahead = f", {lookahead_ms} ms" if lookahead_ms != LOOKAHEAD_MS else ""
    return f"{key.partition('.')[0]}: {label_of(key)}{lookahead}"


def _cell_text(key: str, bar: Bar | None, cell: Cell | None) -> str:
    if cell is None:
        return NOTHING
    missed = "!" if bar is not None and not bar.is_met(cell.value) else ""
    marks = missed + ("\\*" if cell.is_seen else "")
    return f"{cell.value:.{MEASURES[key].digits}f}{marks}"


def _gains(columns: Sequence[Column]) -> Iterator[str]:
    """Yield a table of our distances relative to those of each other network, in percent."""
    ours = next((column for column in columns if column.kind == OURS), None)
    others = [column for column in columns if column.kind in LEAST_GAINS]
    if ours is None or not others:
        return
    keys = [key for key in DISTANCES if ours.cell(key, LOOKAHEAD_MS)]
    names = [f"{key.partition('.')[0]}: {MEASURES[key].label}" for key in keys]
    yield from _header([f"{ours.name}, lower by", *names])
    for other in others:
        yield _row([f"than {other.name}", *(_lower(ours, other, key) for key in keys)])


def _lower(ours: Column, other: Column, key: str) -> str:
    own, theirs = ours.cell(key, LOOKAHEAD_MS), other.cell(key, LOOKAHEAD_MS)
    if own is None or theirs is None or theirs.value <= 0:
        return NOTHING
    percent = 100 * (1 - own.value / theirs.value)
    least = LEAST_GAINS[other.kind].get(key.partition(".")[2].removeprefix(UNSEEN))
    if least is None:
        return f"{percent:.0f} %"
    missed = "!" if percent < least else ""
    return f"{percent:.0f} %{missed} (bar {least:g} %)"


def _header(heads: list[str]) -> Iterator[str]:
    yield _row(heads)
    yield "|" + "---|" * len(heads)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


README = Path(__file__).parents[1] / "README.md"
COMPARISON = "comparison"


def markers(name: str) -> tuple[str, str]:
    """Return the markers that enclose the tables `name` in the file."""
    return f"<!-- {name} -->", f"<!-- end of {name} -->"


def with_block(text: str, block: str, name: str = COMPARISON) -> str:
    """Return `text` with `block` between its markers; ValueError unless each occurs once."""
    begin, end = markers(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"it needs one line {begin} and one {end} after it")
    before, after = text.partition(begin)[0], text.partition(end)[2]
    return f"{before}{begin}\n\n{block}\n\n{end}{after}"


def write_comparison(results: list[Path], readme: Path, name: str = COMPARISON) -> str:
    """Write the tables into `readme` and return them.

    EvaluationRequestError for a file that cannot be used.
    """
    block = comparison_tables(read_columns(results))
    try:
        text = with_block(readme.read_text("utf-8"), block, name)
    except (OSError, ValueError) as error:
        raise EvaluationRequestError(
            (f"{readme}: the comparison cannot be written into it ({error})",)
        ) from error
    write_file(readme, text)
    return block


def main() -> None:
    """Write and print the tables; exit with 2 on an error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="+", metavar="FILE.json")
    parser.add_argument(
        "--readme", type=Path, default=README, help="file to write into (default: models/README.md)"
    )
    parser.add_argument(
        "--table", default=COMPARISON, metavar="NAME", help="name of the markers (%(default)s)"
    )
    options = parser.parse_args()
    try:
        print(write_comparison(options.results, options.readme, options.table))
    except EvaluationRequestError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""Write the comparison of networks into `models/README.md`, out of results of `--json`.

    python -m cstalk_bridge.models.evaluation --weights A.safetensors --lookahead-ms 20,60 \
        --json a.json
    python -m cstalk_bridge.models.evaluation --weights B.safetensors --lookahead-ms 20,60 \
        --json b.json
    python -m cstalk_bridge.models.evaluation.comparison a.json b.json

Columns come in the order of the files; results of the same weights in several files join. The file
may hold other tables between marks of another name (`--table`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.models.evaluation.measures import MEASURES
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


def comparison_tables(columns: Sequence[Column]) -> str:
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


README = Path(__file__).parents[1] / "README.md"
COMPARISON = "comparison"


def marks(name: str) -> tuple[str, str]:
    """Return the marks in the file between which the tables `name` stand."""
    return f"<!-- {name} -->", f"<!-- end of {name} -->"


def with_block(text: str, block: str, name: str = COMPARISON) -> str:
    """Return `text` with `block` between its marks; ValueError unless each stands there once."""
    begin, end = marks(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"it needs one line {begin}, and after it one {end}")
    before, after = text.partition(begin)[0], text.partition(end)[2]
    return f"{before}{begin}\n\n{block}\n\n{end}{after}"


def write_comparison(results: list[Path], readme: Path, name: str = COMPARISON) -> str:
    """Write the tables into `readme` and return them; RefusalError where a file cannot be used."""
    block = comparison_tables(read_columns(results))
    try:
        text = with_block(readme.read_text("utf-8"), block, name)
    except (OSError, ValueError) as error:
        raise EvaluationRequestError(
            (f"{readme}: cannot take the comparison ({error})",)
        ) from error
    write_file(readme, text)
    return block


def main() -> None:
    """Write and print the tables; end with code 2 where that cannot be done."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="+", metavar="FILE.json")
    parser.add_argument("--readme", type=Path, default=README, help="default: models/README.md")
    parser.add_argument("--table", default=COMPARISON, metavar="NAME", help="of the marks")
    options = parser.parse_args()
    try:
        print(write_comparison(options.results, options.readme, options.table))
    except EvaluationRequestError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

"""Write the comparison of networks into `models/README.md`, out of results of `--json`.

    python -m models.evaluation --weights A.safetensors --lookahead-ms 20,60 --json a.json
    python -m models.evaluation --weights B.safetensors --lookahead-ms 20,60 --json b.json
    python -m models.evaluation.comparison a.json b.json

Columns come in the order of the files; results of the same weights in several files join. The file
may hold other tables between marks of another name (`--table`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from models.evaluation.columns import columns_of
from models.evaluation.options import RefusalError
from models.evaluation.standings import standings

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
    block = standings(columns_of(results))
    try:
        text = with_block(readme.read_text("utf-8"), block, name)
    except (OSError, ValueError) as error:
        raise RefusalError((f"{readme}: cannot take the comparison ({error})",)) from error
    partial = readme.with_name(readme.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(readme)
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
    except RefusalError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()

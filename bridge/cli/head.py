"""`cstalk-bridge head check` and `head import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bridge.cli.parser import Commands
    from bridge.errors import Problem
    from bridge.heads.reading import Shapes

MAX_LISTED = 100
"""Names of one list; a file can hold thousands."""


def add_head(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser("head", help="check heads for preview and export, and make them")
    actions = words.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = actions.add_parser("check", help="list which ARKit shapes a head has and lacks")
    checking.add_argument("files", metavar="FILE", nargs="+", type=Path, help=".glb or .vrm file")
    checking.set_defaults(action=lambda options: check_heads(options.files))
    importing = actions.add_parser(
        "import", help="make a head of ICT-FaceKit or MakeHuman data which you have"
    )
    importing.add_argument(
        "sources", metavar="FOLDER|FILE", nargs="+", type=Path, help="checkout, or its files"
    )
    importing.add_argument(
        "-o", "--output", metavar="FILE.glb", type=Path, default=Path("head.glb")
    )
    importing.set_defaults(action=_import)


def _import(options: argparse.Namespace) -> int:
    return import_head(options.sources, options.output)


def check_heads(files: Sequence[Path]) -> int:
    """Print what each head has and lacks. Raises UserError for those that cannot be shown."""
    from bridge.errors import UserError
    from bridge.heads.parts import read_head
    from bridge.heads.reading import open_head

    problems: list[Problem] = []
    for file in files:
        try:
            shapes = open_head(file).shapes
            if shapes.found:
                read_head(file)
        except UserError as error:
            problems += error.problems
            continue
        print(f"{file}: {_summary(shapes)}")
    if problems:
        raise UserError.of(problems)
    return 0


def import_head(sources: Sequence[Path], output: Path) -> int:
    """Make a head file of a data set and print what was found, and the notice to keep with it.

    Raises UserError where there is no such data, it is damaged, or `output` is there already.
    """
    from bridge.heads.glb_writer import write_glb
    from bridge.heads.importing import import_sources
    from bridge.heads.reading import open_arkit_head
    from bridge.whole_file import whole_file

    head = import_sources(sources)
    with whole_file(output) as file:
        file.write(write_glb(head))
    print(f"{output}: {head.name}, {_summary(open_arkit_head(output).shapes)}")
    print("This notice is in the file and must stay with every copy of it:\n")
    print(head.licence)
    return 0


def _summary(shapes: Shapes) -> str:
    from bridge.heads.names import arkit_names

    lines = [f"{len(shapes.found)} of {len(arkit_names())} ARKit shapes"]
    for title, names in (
        ("missing", shapes.missing if shapes.found else ()),
        ("not moved by any curve", shapes.unknown),
        ("VRM expressions", shapes.expressions),
    ):
        if names:
            more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
            lines.append(f"  {title}: {', '.join(names[:MAX_LISTED])}{more}")
    return "\n".join(lines)

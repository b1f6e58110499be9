"""Commands for files that users bring: `rigmap` (check, show) and `head` (check, import)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.cli.arguments import add_command

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cstalk_bridge.cli.arguments import Commands
    from cstalk_bridge.heads.reading import Shapes
    from cstalk_bridge.models.errors import Problem


def add_rigmap(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(commands, "rigmap", "Check and show rig maps.")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = add_command(actions, "check", "Report every error at file:line:column.")
    checking.add_argument(
        "files", metavar="FILE", nargs="+", help="Rig map files, or names of shipped ones."
    )
    checking.set_defaults(action=check_rigmaps)
    showing = add_command(actions, "show", "Print a rig map as a table.")
    showing.add_argument("name", metavar="NAME|FILE", help="Name of a shipped rig map, or a file.")
    showing.set_defaults(action=show_rigmap)


def check_rigmaps(options: argparse.Namespace) -> int:
    """Check every map; warnings do not fail. Raises UserError with the problems of all of them."""
    from cstalk_bridge.models.errors import UserError
    from cstalk_bridge.rig.load import check_files

    findings = check_files(options.files)
    for warning in findings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if findings.problems:
        raise UserError.of(findings.problems)
    print(f"{', '.join(map(str, options.files))}: no problems")
    return 0


def show_rigmap(options: argparse.Namespace) -> int:
    """Print a map as a table."""
    from cstalk_bridge.rig.load import describe_rigmap as rigmap_table
    from cstalk_bridge.rig.load import load_rigmap

    print(rigmap_table(load_rigmap(options.name)))
    return 0


MAX_LISTED = 100
"""Names of one list; a file can hold thousands."""


def add_head(commands: Commands) -> None:
    """Add the command's parser."""
    parser = add_command(commands, "head", "Check heads for preview and export, and import them.")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = add_command(actions, "check", "List the ARKit shapes that a head has and lacks.")
    checking.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="Head files (.glb or .vrm)."
    )
    checking.set_defaults(action=lambda options: check_heads(options.files))
    importing = add_command(
        actions, "import", "Make a head from ICT-FaceKit or MakeHuman data of your own."
    )
    importing.add_argument(
        "sources",
        metavar="FOLDER|FILE",
        nargs="+",
        type=Path,
        help="Checkout of the data, or its files.",
    )
    importing.add_argument(
        "-o",
        "--output",
        metavar="FILE.glb",
        type=Path,
        default=Path("head.glb"),
        help="Head file to write (default: head.glb).",
    )
    importing.set_defaults(action=_import)


def _import(options: argparse.Namespace) -> int:
    return import_head(options.sources, options.output)


def check_heads(files: Sequence[Path]) -> int:
    """Print what each head has and lacks. Raises UserError for those that cannot be shown."""
    from cstalk_bridge.heads.reading import open_head, read_head
    from cstalk_bridge.models.errors import UserError

    problems: list[Problem] = []
    for file in files:
        try:
            shapes = open_head(file).shapes
            if shapes.found:
                read_head(file)
        except UserError as error:
            problems += error.problems
            continue
        print(f"{file}: {_shapes_summary(shapes)}")
    if problems:
        raise UserError.of(problems)
    return 0


def import_head(sources: Sequence[Path], output: Path) -> int:
    """Make a head file of a data set and print what was found, and the notice to keep with it.

    Raises UserError where there is no such data, it is damaged, or `output` already exists.
    """
    from cstalk_bridge.heads.glb import write_glb
    from cstalk_bridge.heads.importing.data_sets import import_head
    from cstalk_bridge.heads.reading import open_arkit_head
    from cstalk_bridge.system.files import atomic_write

    head = import_head(sources)
    with atomic_write(output) as file:
        file.write(write_glb(head))
    print(f"{output}: {head.name}, {_shapes_summary(open_arkit_head(output).shapes)}")
    print("This notice is in the file and must stay with every copy:\n")
    print(head.licence)
    return 0


def _shapes_summary(shapes: Shapes) -> str:
    from cstalk_bridge.heads.arkit import arkit_names

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

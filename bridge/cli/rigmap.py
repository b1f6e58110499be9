"""`cstalk-bridge rigmap check` and `rigmap show`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from bridge.cli.parser import Commands


def add_rigmap(commands: Commands) -> None:
    """Add the command's words."""
    words = commands.add_parser("rigmap", help="check and show rig maps")
    actions = words.add_subparsers(title="actions", metavar="ACTION", required=True)
    checking = actions.add_parser("check", help="report every error at file:line:column")
    checking.add_argument("files", metavar="FILE", nargs="+", help="rig map file, or shipped name")
    checking.set_defaults(action=check)
    showing = actions.add_parser("show", help="print a rig map as a table")
    showing.add_argument("name", metavar="NAME|FILE", help="shipped name, or a rig map file")
    showing.set_defaults(action=show)


def check(options: argparse.Namespace) -> int:
    """Check every map; warnings do not fail. Raises UserError with the problems of all of them."""
    from bridge.errors import UserError
    from bridge.rig.report import check_files

    findings = check_files(options.files)
    for warning in findings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if findings.problems:
        raise UserError.of(findings.problems)
    print(f"{', '.join(map(str, options.files))}: no problems")
    return 0


def show(options: argparse.Namespace) -> int:
    """Print a map as a table."""
    from bridge.rig.load import load_rigmap
    from bridge.rig.report import show as rigmap_table

    print(rigmap_table(load_rigmap(options.name)))
    return 0

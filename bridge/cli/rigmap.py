"""`cstalk-bridge rigmap check` and `rigmap show`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bridge.errors import UserError
from bridge.rig.load import load_rigmap
from bridge.rig.report import check_files
from bridge.rig.report import show as rigmap_table

if TYPE_CHECKING:
    from collections.abc import Sequence


def check(names_or_paths: Sequence[str]) -> int:
    """Check every map; warnings do not fail. Raises UserError with the problems of all of them."""
    findings = check_files(names_or_paths)
    for warning in findings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if findings.problems:
        raise UserError.of(findings.problems)
    print(f"{', '.join(map(str, names_or_paths))}: no problems")
    return 0


def show(name_or_path: str) -> int:
    """Print a map as a table."""
    print(rigmap_table(load_rigmap(name_or_path)))
    return 0

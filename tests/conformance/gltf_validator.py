"""The Khronos glTF validator, where it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
PACKAGE = Path(os.environ.get("CSTALK_GLTF_VALIDATOR", HERE / "node_modules" / "gltf-validator"))
"""The npm package: `CSTALK_GLTF_VALIDATOR`, or what `npm ci` installs in this folder."""


def validated(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the validator's reports; skips the test where there is no validator."""
    node = shutil.which("node")
    if node is None or not PACKAGE.is_dir():
        pytest.skip("gltf-validator is not installed")
    command: list[str | Path] = [node, HERE / "validate_glb.mjs", PACKAGE.resolve(), *files]
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
    return [json.loads(line) for line in done.stdout.splitlines()]


def faults(report: dict[str, Any]) -> list[str]:
    """Return the errors and warnings of a report as text."""
    messages = report["issues"]["messages"]
    return [f"{each['code']} at {each['pointer']}" for each in messages if each["severity"] < 2]

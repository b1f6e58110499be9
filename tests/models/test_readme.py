"""What models/README.md says must be so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cstalk_bridge import models
from cstalk_bridge.models.evaluation.comparison import COMPARISON, README, markers

ROOT = Path(models.__file__).parents[1]
TEXT = README.read_text("utf-8")
EXAMPLES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("python -m ")
]


def sources_of(module: str) -> str:
    """Return the source of a command and of the module beside it that adds its words."""
    path = ROOT.joinpath(*module.removeprefix("cstalk_bridge.").split("."))
    command = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    request = command.with_name("request.py")
    return command.read_text("utf-8") + (request.read_text("utf-8") if request.exists() else "")


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_command_knows_its_words(line: str) -> None:
    _, _, module, *arguments = shlex.split(line, comments=True)
    source = sources_of(module)
    for word in arguments:
        if word.startswith("--"):
            assert f'"{word}"' in source, word


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 5


def test_what_lies_where_lies_there() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", TEXT, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w./]+)`", row)]
    assert len(named) > 10
    assert [name for name in named if not (README.parent / name).exists()] == []
    own = {path.name for path in README.parent.iterdir() if path.is_dir()} - {"__pycache__"}
    assert own == {name.rstrip("/") for name in named if name.endswith("/")}


def test_links_lead_to_files() -> None:
    targets = re.findall(r"\]\(([^)#\s]+)\)", TEXT)
    assert targets
    assert [target for target in targets if not (README.parent / target).exists()] == []


def test_the_comparison_has_its_place() -> None:
    assert [TEXT.count(mark) for mark in markers(COMPARISON)] == [1, 1]

"""docs/control.md agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from cstalk_bridge.config.load import ConfigOverrides, override
from cstalk_bridge.config.schema import Config
from cstalk_bridge.control.keys import EMOTION_KEYS
from tools.settings import command_table, phone_table

PAGE = (Path(__file__).parents[2] / "docs" / "control.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_tables_match_the_code() -> None:
    assert command_table() in PAGE
    assert phone_table() in PAGE


def test_the_keys_match_the_dashboard() -> None:
    first, *_, last = EMOTION_KEYS
    names = ", ".join(EMOTION_KEYS.values())
    assert f"| `{first}` to `{last}` | choose an emotion: {names} |" in PAGE


def test_the_timeline_example_is_valid(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    assert len(yaml.safe_load(block)) == 2
    path = tmp_path / "show.yaml"
    path.write_text(block)
    assert (
        len(override(Config(), ConfigOverrides(emotions=str(path))).subjects[0].emotions.root) == 2
    )

"""What the documentation says must be so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from textwrap import dedent

import pytest

from cstalk_bridge.cli.command import make_parser
from cstalk_bridge.config.load import read_config
from cstalk_bridge.face.performer import FallbackConfig
from cstalk_bridge.face.procedural.compose import PARTS
from cstalk_bridge.plot.measures import MAX_JERK, MAX_SPEED, WARNING_KINDS
from cstalk_bridge.rig.load import load_rigmap, shipped_names
from cstalk_bridge.takes.export.formats import FORMATS

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TAKES = (ROOT / "docs" / "takes.md").read_text(encoding="utf-8")


def examples(page: Path) -> list[list[str]]:
    """The commands in the shell blocks of a page."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["cstalk-bridge"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_a_command_there_is(page: Path) -> None:
    for words in examples(page):
        assert make_parser().parse_args(words).action


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    own = [target for target in targets if "://" not in target]
    assert [target for target in own if not (page.parent / target).exists()] == []


def test_the_page_about_life_has_a_row_for_each_level_and_situation() -> None:
    page = (ROOT / "docs" / "life.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [*PARTS, *FallbackConfig.model_fields]


def test_every_config_in_the_guide_to_unreal_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "unreal.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^( *)```yaml\n(.*?)^\1```", page, re.DOTALL | re.MULTILINE)
    configs = [dedent(block) for _, block in blocks if "extends: " not in block]
    path = tmp_path / "config.yaml"
    for config in configs:
        path.write_text(config, encoding="utf-8")
        read_config(path)
    assert len(configs) == 2


def test_the_rig_map_in_the_guide_to_unreal_turns_a_head_the_other_way(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "unreal.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(extends: .*?)^```", page, re.DOTALL | re.MULTILINE)
    path = tmp_path / "hero.yaml"
    path.write_text(block, encoding="utf-8")
    yaw = [load_rigmap(name).ruleset.rules["HeadYaw"].spec for name in (path, "metahuman_device")]
    assert yaw[0].gain == -yaw[1].gain


def test_the_table_of_rig_maps_names_each_that_comes_with_the_program() -> None:
    page = (ROOT / "docs" / "rig-maps.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \| [^d]", page, re.MULTILINE)[:6]) == shipped_names()


def test_the_table_of_formats_names_each_with_its_file() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `([\w.-]+)` \|", TAKES, re.MULTILINE)
    assert rows == [(form.id, form.name("speech")) for form in FORMATS.values()]


def test_the_table_of_warnings_names_each_with_its_limit() -> None:
    section = TAKES[TAKES.index("| warning |") :]
    assert re.findall(r"^\| (\w+) \|", section, re.MULTILINE)[1:] == list(WARNING_KINDS)
    assert f"{MAX_SPEED:.1f} ranges per second" in section
    assert f"{round(MAX_JERK, -3):,.0f} ranges per second cubed" in section

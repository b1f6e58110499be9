"""Rig maps: each loaded once, for all links that name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.config.schema import SubjectConfig
from bridge.doctor.finding import State
from bridge.doctor.maps import Maps
from bridge.links.spec import parse_link_url

if TYPE_CHECKING:
    from pathlib import Path


def maps_of(*urls: str) -> Maps:
    return Maps([SubjectConfig(links=tuple(map(parse_link_url, urls)))])


def test_each_map_is_told_once_with_its_protocols() -> None:
    maps = maps_of("osc://10.0.0.5", "metahuman://127.0.0.1", "vmc://10.0.0.5")
    assert [(found.where, found.what) for found in maps.examine()] == [
        ("metahuman", "251 outputs for osc"),
        ("metahuman_device", "257 outputs for metahuman"),
        ("vrm", "21 outputs for vmc"),
    ]
    assert maps.loaded.keys() == {"metahuman", "metahuman_device", "vrm"}


def test_a_map_that_does_not_load_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text("extends: metahuman\ncurvs: 1\n", encoding="utf-8")
    maps = maps_of(f"osc://10.0.0.5?rigmap={path}", "vmc://10.0.0.5")
    wrong, well = maps.examine()
    assert (wrong.state, "unknown key `curvs`" in wrong.what) == (State.FAULT, True)
    assert well.state is State.OK
    assert maps.loaded.keys() == {"vrm"}


def test_what_is_odd_about_a_map_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text("extends: livelinkface61\ncurves:\n  MouthSmileLeft: {gain: 1.3}\n", "utf-8")
    well, odd = maps_of(f"osc://10.0.0.5?rigmap={path}").examine()
    assert (well.state, odd.state) == (State.OK, State.WARNING)
    assert str(path) in odd.where

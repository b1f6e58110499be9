"""Rig maps: each loaded once, for all links that name it."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.diagnostics.checks import FindingState
from cstalk_bridge.diagnostics.face_check import (
    HASH_CHARACTERS,
    NetworkCheck,
    RigMapCheck,
    judge_speed,
)
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.parse import parse_link_url
from tests.networks import GUARDED, UNGUARDED, write_weights

if TYPE_CHECKING:
    from pathlib import Path


def maps_of(*urls: str) -> RigMapCheck:
    return RigMapCheck([SubjectConfig(links=tuple(map(parse_link_url, urls)))])


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
    assert (wrong.state, "unknown key `curvs`" in wrong.what) == (FindingState.FAULT, True)
    assert well.state is FindingState.OK
    assert maps.loaded.keys() == {"vrm"}


def test_what_is_odd_about_a_map_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text("extends: livelinkface61\ncurves:\n  MouthSmileLeft: {gain: 1.3}\n", "utf-8")
    well, odd = maps_of(f"osc://10.0.0.5?rigmap={path}").examine()
    assert (well.state, odd.state) == (FindingState.OK, FindingState.WARNING)
    assert str(path) in odd.where


def test_weights_are_told_by_name_hash_licence_and_emotions(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "small.safetensors", GUARDED)
    network = NetworkCheck(Config(weights=path, device="cpu"))
    weights, device = network.examine_weights()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:HASH_CHARACTERS]
    assert weights.what.startswith(f"small.safetensors, SHA-256 {digest}, none; look-ahead 80 of")
    assert weights.what.endswith("disgusted")
    assert (device.state, device.what.endswith("as asked")) == (FindingState.OK, True)
    (speed,) = network.examine_speed()
    assert "a hop of 1 subject takes" in speed.what


def test_what_auto_chose_is_told_with_the_reason(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "small.safetensors", GUARDED)
    _, device = NetworkCheck(Config(weights=path)).examine_weights()
    assert device.what.startswith("cpu (ONNX Runtime ")
    assert "chosen because a hop takes little there and Unreal keeps its GPU" in device.what


def test_an_engine_that_is_slower_than_need_be_is_a_warning_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_weights(tmp_path / "small.safetensors", GUARDED)
    monkeypatch.setitem(
        sys.modules, "cstalk_bridge.models.cstalk.onnx_engine", None
    )  # its import fails
    _, device, notice = NetworkCheck(Config(weights=path)).examine_weights()
    assert device.what.startswith("cpu (torch ")
    assert (notice.state, notice.where) == (FindingState.WARNING, "device")
    assert notice.what.startswith("ONNX Runtime is not used (")
    assert notice.remedy == "install onnx and onnxruntime again"


def test_a_guard_that_the_weights_do_not_know_is_a_fault(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "small.safetensors", UNGUARDED)
    config = Config(weights=path, subjects=(SubjectConfig(name="Ada", mouth_guard=0.9),))
    _, guard, _ = NetworkCheck(config).examine_weights()
    assert (guard.state, guard.where) == (FindingState.FAULT, "Ada")


def test_a_wrong_file_is_a_problem_of_the_user_and_no_speed_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "wrong.safetensors"
    path.write_text("no weights", encoding="utf-8")
    network = NetworkCheck(Config(weights=path))
    with pytest.raises(UserError, match=r"wrong\.safetensors"):
        list(network.examine_weights())
    assert list(network.examine_speed()) == []


def test_a_device_that_is_not_there_is_a_problem_of_the_user() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA GPU")
    with pytest.raises(UserError, match="cuda"):
        list(NetworkCheck(Config(device="cuda")).examine_weights())


@pytest.mark.parametrize(
    ("hops_ms", "state"),
    [
        ([4.0] * 100, FindingState.OK),
        ([4.0] * 95 + [16.0] * 5, FindingState.WARNING),
        ([21.0] * 100, FindingState.FAULT),
    ],
)
def test_speed_is_judged_by_the_hop(hops_ms: list[float], state: FindingState) -> None:
    finding = judge_speed([1e-3 * each for each in hops_ms], subjects=2)
    assert finding.state is state
    assert finding.what.startswith(f"a hop of 2 subjects takes {hops_ms[0]:.1f} ms")
    assert bool(finding.remedy) is (state is not FindingState.OK)

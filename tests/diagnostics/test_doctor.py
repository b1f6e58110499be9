"""Doctor: timecode, clock, ticks, rig maps, weights, and the whole command."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.diagnostics.doctor import (
    HASH_CHARACTERS,
    NetworkCheck,
    RigMapCheck,
    examine_clock_sync,
    examine_ticks,
    examine_timecode,
    judge_clock_sync,
    judge_speed,
    judge_ticks,
    judge_timecode,
)
from cstalk_bridge.diagnostics.report import FindingState
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.registry import parse_link_url
from cstalk_bridge.timecode.chase import SyncState, SyncStatus
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.system_clock import UNKNOWN_DISCIPLINE, ClockReference, Discipline
from cstalk_bridge.timecode.time_of_day import TimecodeConfig
from tests.diagnostics.programs import free_tcp_port, free_udp_port, program_with_port
from tests.networks import GUARDED, UNGUARDED, write_weights
from tests.outputs.receiving import receiver

RATE = FRAME_RATES["60"]


def test_the_system_clock_needs_no_audio_input() -> None:
    assert examine_timecode(TimecodeConfig(), FRAME_RATES["29.97df"]).what.endswith(
        "29.97df frames/s"
    )


def test_timecode_without_its_input_is_a_user_error() -> None:
    spec = TimecodeConfig(source="ltc", audio=AudioConfig(input="none.wav"))
    with pytest.raises(UserError, match=r"none\.wav"):
        examine_timecode(spec, RATE)


def test_sound_without_timecode_is_a_fault() -> None:
    spec = TimecodeConfig(source="ltc", audio=AudioConfig(input="test"))
    assert examine_timecode(spec, RATE).state is FindingState.FAULT


def test_received_timecode_is_reported() -> None:
    status = SyncStatus(SyncState.SYNCED, 0.0, is_locked=True, jumps=0)
    finding = judge_timecode("LTC 25 10:00:00:00", status, RATE)
    assert (finding.state, "10:00:00:00 arrives" in finding.what) == (FindingState.OK, True)


@pytest.mark.parametrize(
    ("discipline", "is_alone", "state"),
    [
        (Discipline(ClockReference.PTP, "PHC0", 1e-6), False, FindingState.OK),
        (Discipline(ClockReference.NONE), True, FindingState.OK),
        (Discipline(ClockReference.NONE), False, FindingState.WARNING),
        (UNKNOWN_DISCIPLINE, False, FindingState.OK),
    ],
)
def test_an_unsynchronised_clock_matters_where_there_are_other_machines(
    discipline: Discipline, is_alone: bool, state: FindingState
) -> None:
    finding = judge_clock_sync(discipline, is_alone=is_alone, platform="linux")
    assert finding.state is state
    assert ("timedatectl" in finding.remedy) is (state is FindingState.WARNING)


@pytest.mark.parametrize("url", ["livelink-face://localhost", "livelink-face://10.0.0.5"])
def test_the_clock_of_this_system_is_examined(url: str) -> None:
    config = Config(subjects=(SubjectConfig(links=(parse_link_url(url),)),))
    assert examine_clock_sync(config).where == "system clock"


@pytest.mark.parametrize(
    ("lateness_ms", "state"),
    [
        ([0.1] * 90, FindingState.OK),
        ([0.1] * 85 + [6.0] * 5, FindingState.WARNING),
        ([20.0] * 90, FindingState.FAULT),
    ],
)
def test_ticks_are_rated_by_their_lateness(lateness_ms: list[float], state: FindingState) -> None:
    finding = judge_ticks([1e-3 * each for each in lateness_ms], RATE)
    assert finding.state is state
    assert f"late by {lateness_ms[0]:.1f} ms" in finding.what


def test_tick_lateness_and_priority_are_reported() -> None:
    ticks, priority = examine_ticks(RATE)
    assert ticks.where == "ticks"
    assert "priority" in priority.what


def maps_of(*urls: str) -> RigMapCheck:
    return RigMapCheck([SubjectConfig(links=tuple(map(parse_link_url, urls)))])


def test_each_rig_map_is_reported_once_with_its_protocols() -> None:
    maps = maps_of("osc://10.0.0.5", "metahuman://127.0.0.1", "vmc://10.0.0.5")
    assert [(found.where, found.what) for found in maps.examine()] == [
        ("metahuman", "251 outputs for osc"),
        ("metahuman_device", "257 outputs for metahuman"),
        ("vrm", "21 outputs for vmc"),
    ]
    assert maps.loaded.keys() == {"metahuman", "metahuman_device", "vrm"}


def test_a_rig_map_that_does_not_load_does_not_affect_the_others(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text("extends: metahuman\ncurvs: 1\n", encoding="utf-8")
    maps = maps_of(f"osc://10.0.0.5?rigmap={path}", "vmc://10.0.0.5")
    wrong, well = maps.examine()
    assert (wrong.state, "unknown key `curvs`" in wrong.what) == (FindingState.FAULT, True)
    assert well.state is FindingState.OK
    assert maps.loaded.keys() == {"vrm"}


def test_an_inconsistent_rig_map_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "hero.yaml"
    path.write_text("extends: livelinkface61\ncurves:\n  MouthSmileLeft: {gain: 1.3}\n", "utf-8")
    well, odd = maps_of(f"osc://10.0.0.5?rigmap={path}").examine()
    assert (well.state, odd.state) == (FindingState.OK, FindingState.WARNING)
    assert str(path) in odd.where


def test_weights_are_reported_with_name_hash_licence_and_emotions(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "small.safetensors", GUARDED)
    network = NetworkCheck(Config(weights=path, device="cpu"))
    weights, device = network.examine_weights()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:HASH_CHARACTERS]
    assert weights.what.startswith(f"small.safetensors, SHA-256 {digest}, none; look-ahead 80 of")
    assert weights.what.endswith("disgusted")
    assert (device.state, device.what.endswith("as asked")) == (FindingState.OK, True)
    (speed,) = network.examine_speed()
    assert "a hop of 1 subject takes" in speed.what


def test_the_device_chosen_by_auto_is_reported_with_the_reason(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "small.safetensors", GUARDED)
    _, device = NetworkCheck(Config(weights=path)).examine_weights()
    assert device.what.startswith("cpu (ONNX Runtime ")
    assert "chosen because a hop takes little there and Unreal keeps its GPU" in device.what


def test_an_engine_slower_than_necessary_is_a_warning_with_advice(
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


def test_a_mouth_guard_unknown_to_the_weights_is_a_fault(tmp_path: Path) -> None:
    path = write_weights(tmp_path / "small.safetensors", UNGUARDED)
    config = Config(weights=path, subjects=(SubjectConfig(name="Ada", mouth_guard=0.9),))
    _, guard, _ = NetworkCheck(config).examine_weights()
    assert (guard.state, guard.where) == (FindingState.FAULT, "Ada")


def test_a_wrong_weights_file_is_a_user_error_and_no_speed_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "wrong.safetensors"
    path.write_text("no weights", encoding="utf-8")
    network = NetworkCheck(Config(weights=path))
    with pytest.raises(UserError, match=r"wrong\.safetensors"):
        list(network.examine_weights())
    assert list(network.examine_speed()) == []


def test_a_missing_device_is_a_user_error() -> None:
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
def test_speed_is_rated_against_the_hop(hops_ms: list[float], state: FindingState) -> None:
    finding = judge_speed([1e-3 * each for each in hops_ms], subjects=2)
    assert finding.state is state
    assert finding.what.startswith(f"a hop of 2 subjects takes {hops_ms[0]:.1f} ms")
    assert bool(finding.remedy) is (state is not FindingState.OK)


ROOT = Path(__file__).parents[2]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "small.safetensors", GUARDED)


def doctor(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cstalk_bridge", "doctor", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "60"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def findings(report: dict[str, Any], topic: str) -> list[dict[str, str]]:
    return [found for found in report["findings"] if found["topic"] == topic]


def test_a_healthy_machine_exits_with_0(weights: Path, tmp_path: Path) -> None:
    with receiver() as unreal:
        done = doctor(
            *("--weights", str(weights), "--audio", "test", "--device", "cpu", "--json"),
            *("--link", f"livelink-face://{unreal.target}"),
            *("--link", f"metahuman://127.0.0.1:{free_tcp_port()}"),
            folder=tmp_path,
        )
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, ""), report
    assert report["faults"] == 0
    for topic in ("sound", "rig maps", "network", "loopback", "time", "face"):
        assert findings(report, topic), topic
    assert len(report["guides"]) == 2


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "wrong.safetensors").write_text("no weights", encoding="utf-8")
    config = """
      weights: wrong.safetensors
      subjects:
        - {name: Ada, audio: {input: none.wav}, links: ["livelink-face://127.0.0.1:%d"]}
        - {name: Ben, audio: {input: test}, links: ["osc://nohost.invalid:9000"]}
        - {name: Cyd, audio: {input: test}, links: ["vmc://127.0.0.1:%d?rigmap=none.yaml"]}
        - {name: Dot, audio: {input: test}, links: ["metahuman://127.0.0.1:%d"]}
    """
    with receiver() as vmc, program_with_port("tcp") as (taken, process_id):
        ports = (free_udp_port(), vmc.target.port, taken)
        (tmp_path / "config.yaml").write_text(config % ports, encoding="utf-8")
        done = doctor("--plain", folder=tmp_path)
    faults = [line for line in done.stdout.splitlines() if line.startswith("fault")]
    assert (done.returncode, done.stderr) == (1, "")
    for text in (
        "sound: Ada: none.wav",
        "rig maps: none.yaml: no such file",
        f"no program listens at UDP port {ports[0]}",
        "'nohost.invalid' cannot be found",
        f"(pid {process_id}); end that",
        "face: weights: wrong.safetensors",
    ):
        assert sum(text in line for line in faults) == 1, (text, faults)
    assert "no real editor has been met yet" in done.stdout


def test_an_invalid_config_is_a_user_error(tmp_path: Path) -> None:
    done = doctor("--fps", "61", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--fps" in done.stderr


def test_run_options_are_accepted_and_dashboard_options_are_not(tmp_path: Path) -> None:
    assert "--no-ui" not in doctor("--help", folder=tmp_path).stdout
    assert "--mouth-guard" in doctor("--help", folder=tmp_path).stdout

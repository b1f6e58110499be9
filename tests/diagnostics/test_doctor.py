"""The command as its user has it: codes, forms, and what it finds on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.diagnostics.programs import free_tcp_port, free_udp_port, program_with_port
from tests.networks import GUARDED, write_weights
from tests.outputs.receiving import receiver

ROOT = Path(__file__).parents[2]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_weights(tmp_path / "small.safetensors", GUARDED)


def doctor(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cstalk_bridge", "doctor", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "60"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def findings(told: dict[str, Any], topic: str) -> list[dict[str, str]]:
    return [found for found in told["findings"] if found["topic"] == topic]


def test_a_machine_on_which_all_is_well_exits_with_0(weights: Path, tmp_path: Path) -> None:
    with receiver() as unreal:
        done = doctor(
            *("--weights", str(weights), "--audio", "test", "--device", "cpu", "--json"),
            *("--link", f"livelink-face://{unreal.target}"),
            *("--link", f"metahuman://127.0.0.1:{free_tcp_port()}"),
            folder=tmp_path,
        )
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, ""), told
    assert told["faults"] == 0
    for topic in ("sound", "rig maps", "network", "loopback", "time", "face"):
        assert findings(told, topic), topic
    assert len(told["guides"]) == 2


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
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
    for words in (
        "sound: Ada: none.wav",
        "rig maps: none.yaml: no such file",
        f"no program listens at UDP port {ports[0]}",
        "'nohost.invalid' cannot be found",
        f"(pid {process_id}); end that",
        "face: weights: wrong.safetensors",
    ):
        assert sum(words in line for line in faults) == 1, (words, faults)
    assert "no real editor has been met yet" in done.stdout


def test_a_mistake_in_the_settings_is_the_user_s(tmp_path: Path) -> None:
    done = doctor("--fps", "61", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--fps" in done.stderr


def test_settings_of_run_are_taken_and_the_dashboard_s_are_not(tmp_path: Path) -> None:
    assert "--no-ui" not in doctor("--help", folder=tmp_path).stdout
    assert "--mouth-guard" in doctor("--help", folder=tmp_path).stdout

"""What is reported before anything heavy is loaded, by the command itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.config.check import check_run
from cstalk_bridge.config.schema import Config
from cstalk_bridge.models.errors import UserError
from tests.takes.recording.killed import kill_while_recording

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("torch", "onnxruntime", "onnx", "transformers", "scipy", "uvicorn", "starlette", "rich")

RUN = """
import json, sys
from cstalk_bridge.cli import main
code = main(sys.argv[1:])
heavy = {heavy!r}
print(json.dumps([code, [name for name in heavy if name in sys.modules]]))
"""


def run(folder: Path, *arguments: str) -> tuple[int, list[str], str]:
    """Run the command; return its exit code, the heavy modules it has imported, and its message."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(heavy=HEAVY), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    code, imported = json.loads(done.stdout.splitlines()[-1])
    return code, imported, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--audio", "missing.wav"], "missing.wav: "),
        (["--audio", "no such device"], "--audio no such device: "),
        (["--link", "foo://127.0.0.1"], "unknown protocol 'foo'"),
        (["--link", "osc://127.0.0.1:9000?rigmap=nope"], "no rig map is called `nope`"),
        (["--link", "livelink-face://127.0.0.1?rigmap=vrm"], "vrm"),
        (["--emotion", "hapy:1"], "there is no emotion 'hapy'"),
        (["--weights", "missing.safetensors"], "missing.safetensors: no such weights file"),
        (["--alive", "gaze:9"], "less than or equal to 2"),
        (["--fps", "61"], "61"),
        (["--preview", "0.0.0.0:99999"], "99999"),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_flag_is_refused_before_anything_heavy_is_imported(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    code, imported, output = run(tmp_path, "run", *arguments)
    assert (code, imported) == (2, [])
    assert message in output


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    links = ["--link", "osc://127.0.0.1:9000?rigmap=nope", "--weights", "none.safetensors"]
    code, imported, output = run(tmp_path, "run", "--audio", "missing.wav", *links)
    assert (code, imported) == (2, [])
    assert all(part in output for part in ("missing.wav", "`nope`", "none.safetensors"))


def test_a_device_that_the_config_names_may_be_missing() -> None:
    subjects = [{"name": "Ann", "audio": {"input": "Line 1/2 (no such card)"}}]
    check_run(Config.model_validate({"subjects": subjects}))


def test_a_file_without_the_channel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mono.wav"
    soundfile.write(path, np.zeros(1600), 16_000)
    audio = {"input": str(path), "channel": 2}
    with pytest.raises(UserError, match="channel 2 does not exist"):
        check_run(Config.model_validate({"subjects": [{"audio": audio}]}))


def test_a_take_that_broke_off_is_finished_although_the_start_fails(tmp_path: Path) -> None:
    kill_while_recording(tmp_path / "takes", 1)
    (broken,) = (tmp_path / "takes").iterdir()
    for path in (*broken.iterdir(), broken):
        os.utime(path, (1e9, 1e9))
    code, _, output = run(tmp_path, "run", "--audio", "missing.wav")
    assert code == 2
    assert "an interrupted take was recovered" in output
    assert (broken.suffix, [each.suffix for each in (tmp_path / "takes").iterdir()]) == (
        ".recording",
        [""],
    )

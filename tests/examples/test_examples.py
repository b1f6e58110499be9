"""Each example program does what its first line promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.rig.load import load_rigmap
from tests.control.running import running_bridge
from tests.outputs.receiving import receiver

EXAMPLES = Path(__file__).parents[2] / "examples"
MAX_LINES = 40
SPEECH_S = 2


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seconds of the bundled recording."""
    rate_hz = soundfile.info(SPEECH_PATH).samplerate
    samples, _ = soundfile.read(SPEECH_PATH, frames=SPEECH_S * rate_hz)
    path = tmp_path_factory.mktemp("sound") / "speech.wav"
    soundfile.write(path, samples, rate_hz)
    return path


def run(name: str, *arguments: object, may_fail: bool = False) -> list[str]:
    """Run an example and return the lines it printed."""
    command: list[str | Path] = [sys.executable, EXAMPLES / name, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert may_fail or done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_example_is_short_and_listed() -> None:
    programs = sorted(path for path in EXAMPLES.glob("*.*") if path.suffix != ".md")
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[([\w.]+)\]", page, re.MULTILINE)) == [p.name for p in programs]
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in programs}
    assert [name for name, lines in lengths.items() if lines >= MAX_LINES] == []


def test_a_face_is_generated_from_a_recording(recording: Path, tmp_path: Path) -> None:
    (line,) = run("generate_face.py", recording, tmp_path / "face.npz", "--emotion", "happy")
    assert line.startswith("2.00 s, 81 channels")
    with np.load(tmp_path / "face.npz") as saved:
        assert saved["face"].shape == (50 * SPEECH_S, len(AUDIO_DRIVEN))
        assert tuple(saved["channels"]) == AUDIO_DRIVEN
        jaw = saved["face"][:, AUDIO_DRIVEN.index("CTRL_C_jaw.ty")]
    assert np.ptp(jaw) > 0.1


def test_a_face_is_streamed_hop_by_hop(recording: Path) -> None:
    lines = [line.split() for line in run("stream_hops.py", recording)]
    assert len(lines) == 50 * SPEECH_S
    assert float(lines[0][0]) == pytest.approx(0.02 - 0.08)
    assert float(lines[-1][0]) == pytest.approx(SPEECH_S - 0.08)
    openings = [float(line[2]) for line in lines]
    assert max(openings) - min(openings) > 0.1


def test_a_running_bridge_is_controlled_over_osc(tmp_path: Path) -> None:
    with running_bridge(tmp_path, control={"osc": ":0"}) as bridge:
        lines = run("steer_over_osc.py", "--port", bridge.control_port, "--take-s", 0.3)
    replies = [line.split()[:2] for line in lines if line.startswith("/cstalk/")]
    assert [address for _, address in replies] == [
        "/cstalk/CSTalk/emotion",
        "/cstalk/CSTalk/level",
        "/cstalk/record",
        "/cstalk/record",
    ]
    assert {reply for reply, _ in replies} == {"/cstalk/ok"}
    (take,) = (tmp_path / "takes").iterdir()
    assert "Example" in take.name


def test_a_custom_output_sends_the_values_of_its_rig_map(recording: Path) -> None:
    with receiver() as to:
        link = f"text://{to.target}"
        run("own_output.py", "run", "--no-ui", "--audio", recording, "--link", link)
        frames = [datagram.split() for datagram in to.all_waiting()]
    assert len(frames) > 60 * SPEECH_S - 30
    assert {frame[0] for frame in frames} == {b"face"}
    values = np.array([frame[1:] for frame in frames], dtype=np.float32)
    assert values.shape[1] == len(load_rigmap("vrm").outputs)
    assert np.ptp(values, axis=0).max() > 0.1


def test_doctor_knows_a_custom_output() -> None:
    arguments = ("--link", "text://127.0.0.1", "--audio", SPEECH_PATH)
    lines = run("own_output.py", "doctor", *arguments, may_fail=True)  # nobody listens there
    assert any("text at 127.0.0.1:9000" in line for line in lines)


def test_the_five_line_character_changes_three_curves() -> None:
    hero, stock = load_rigmap(EXAMPLES / "hero.yaml"), load_rigmap("livelinkface61")
    rules = [rigmap.ruleset.rules for rigmap in (hero, stock)]
    changed = [name for name in rules[1] if rules[0].get(name) != rules[1][name]]
    assert sorted(changed) == ["JawOpen", "MouthPucker", "TongueOut"]
    text = (EXAMPLES / "hero.yaml").read_text("utf-8")
    assert len([line for line in text.splitlines() if not line.startswith("#")]) == 5

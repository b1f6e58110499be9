"""Takes in the making: stopped, failing, hours long; and the session of the page."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from cstalk_bridge.config.schema import PreviewConfig
from cstalk_bridge.face.procedural.animation import Levels
from cstalk_bridge.models.errors import UserError, WeightsError
from cstalk_bridge.preview.server import open_preview
from cstalk_bridge.takes.generate import GenerationConfig
from tests.networks import GUARDED, UNGUARDED, small_generator
from tests.preview.serving import Serving, serve, voice, wav
from tests.takes.recording.harness import recorded
from tests.waiting import wait_until

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator


HOURS_S = 2 * 3600
MAX_GROWTH_MB = 120
"""For a sound of 460 MB as float32 mono."""


def peak_mb() -> float:
    """Return the most memory that was resident since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def forget_peak() -> float:
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def two_hours(path: Path) -> Path:
    """Write a beep and two hours of faint noise, 16 kHz, in pieces."""
    hum = np.random.default_rng(2).integers(-3, 3, 16_000 * 60).astype(np.int16)
    with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_16") as file:
        file.write(voice(1.0))
        for _ in range(HOURS_S // 60):
            file.write(hum)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_two_hours_need_little_memory_and_can_be_stopped(serving: Serving, tmp_path: Path) -> None:
    content = two_hours(tmp_path / "x.wav")
    serving.take_of(wav(tmp_path / "warm.wav", voice(1.0)))
    before_mb = forget_peak()
    with content.open("rb") as file:
        answer = serving.send(file, "hours.wav")
    assert answer.status == 201
    take = serving.begin(answer.document["recording"])
    path = f"/api/takes/{take['id']}"
    segment = f"start_s=0&end_s={HOURS_S}&columns=1500"
    assert len(serving.ask(f"{path}/waveform?{segment}").body) == 3000
    assert len(serving.ask(f"{path}/spectrogram?{segment}&bands=96").body) == 1500 * 96
    wait_until(lambda: 0 < serving.ask(path).document["progress"] < 1)
    assert serving.ask(path, method="DELETE").status == 204
    # The worker is free at once for the next one.
    assert serving.take_of(wav(tmp_path / "next.wav", voice(0.2)))["state"] == "ready"
    assert peak_mb() - before_mb < MAX_GROWTH_MB


def test_weights_that_cannot_be_loaded_fail_the_take(tmp_path: Path) -> None:
    def load() -> Generator:
        raise WeightsError("weights.safetensors is damaged: download it again")

    with open_preview(PreviewConfig.parse(":0"), load=load) as preview:
        serving = Serving(preview)
        preview.start(serving.notices.append)
        take = serving.take_of(wav(tmp_path / "x.wav", voice(0.2)))
    assert take["state"] == "failed"
    assert take["problems"][0]["what"] == "weights.safetensors is damaged: download it again"
    assert serving.notices == []


def test_an_internal_error_is_reported_and_the_next_take_is_made(
    generator: Generator, tmp_path: Path
) -> None:
    calls: list[int] = []

    def load() -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("on purpose")
        return generator

    content = wav(tmp_path / "x.wav", voice(0.2))
    with open_preview(PreviewConfig.parse(":0"), load=load) as preview:
        serving = Serving(preview)
        preview.start(serving.notices.append)
        failed, made = serving.take_of(content), serving.take_of(content)
    assert failed["state"] == "failed"
    assert "RuntimeError: on purpose" in failed["problems"][0]["what"]
    assert len(serving.notices) == 1
    assert made["state"] == "ready"


def test_files_of_the_command_line_are_available_from_the_start(
    generator: Generator, tmp_path: Path
) -> None:
    wav(tmp_path / "one.wav", voice(0.3))
    wav(tmp_path / "two.wav", voice(0.5))
    (tmp_path / "two.emotion.yaml").write_text("- {at_s: 0, emotion: 'sad:0.5'}\n")
    files = [tmp_path / "one.wav", tmp_path / "two.wav"]
    with serve(generator, files=files) as serving:
        session = serving.ask("/api/session").document
        assert [take["name"].removesuffix("_1") for take in session["takes"]] == ["one", "two"]
        assert [take["emotion"] for take in session["takes"]] == [{}, {"sad": 0.5}]
        assert session["compare"] == [take["id"] for take in session["takes"]]
        for take in session["takes"]:
            assert serving.finished(take["id"])["state"] == "ready"
        assert serving.preview.folder.is_dir()
    assert not serving.preview.folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one.wav",
        "two.emotion.yaml",
        "two.wav",
    ]


def test_all_wrong_files_are_reported_at_once(generator: Generator, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "old.take").write_text("no take")
    (tmp_path / "shapeless.glb").write_bytes(b"glTF")
    files = [tmp_path / "text.wav", tmp_path / "gone.wav", tmp_path / "old.take"]
    with (
        pytest.raises(UserError) as caught,
        serve(generator, files=files, head=tmp_path / "shapeless.glb"),
    ):
        pass
    wrong_names = [Path(problem.where).name for problem in caught.value.problems]
    assert wrong_names == ["text.wav", "gone.wav", "old.take", "shapeless.glb"]


def test_a_take_has_the_requested_mouth_guard(tmp_path: Path) -> None:
    with serve(small_generator(GUARDED)) as serving:
        happy: dict[str, Any] = {"emotion": {"happy": 1.0}}
        low = serving.take_of(wav(tmp_path / "v.wav", voice(0.5)), mouth_guard=0.1, **happy)
        high = serving.finished(serving.begin(low["recording"], mouth_guard=0.9, **happy)["id"])
        assert (low["mouth_guard"], high["mouth_guard"]) == (0.1, 0.9)
        faces = [serving.ask(f"/api/takes/{take['id']}/curves").body for take in (low, high)]
        assert faces[0] != faces[1]


def test_a_mouth_guard_unknown_to_the_weights_is_reported(tmp_path: Path) -> None:
    with serve(small_generator(UNGUARDED)) as serving:
        take = serving.take_of(wav(tmp_path / "v.wav", voice(0.5)), mouth_guard=0.1)
        assert take["state"] == "failed"
        assert "trained without one; leave it at 0.45" in take["problems"][0]["what"]
        assert serving.notices == []


def test_takes_of_the_page_use_the_animation_levels_of_the_command_line(tmp_path: Path) -> None:
    asked, path = GenerationConfig(levels=Levels(head=0.5), seed=7), tmp_path / "v.wav"
    wav(path, voice(0.5))
    with serve(small_generator(UNGUARDED), files=[path], settings=asked) as serving:
        session = serving.ask("/api/session").document
        (named,) = session["takes"]
        other = serving.begin(named["recording"], emotion={"happy": 1.0})
        levels = serving.begin(named["recording"], levels={"head": 0.0})["levels"]
        assert session["levels"]["head"]["usual"] == named["levels"]["head"] == 0.5
        assert (other["levels"], levels["head"]) == (named["levels"], 0.0)
        for take in (named, other):
            serving.finished(take["id"])
            exported = serving.ask(f"/api/takes/{take['id']}/export?format=take").body
            with zipfile.ZipFile(io.BytesIO(exported)) as archive:
                assert json.loads(archive.read("take.json"))["making"]["seed"] == 7


def test_all_subjects_of_a_recorded_take_are_shown_as_performed(tmp_path: Path) -> None:
    folder = recorded(tmp_path, "Anna", "Ben")
    opened = partial(
        open_preview,
        PreviewConfig.parse(":0"),
        load=partial(small_generator, GUARDED),
        files=[folder],
    )
    with opened() as preview:
        serving = Serving(preview)
        preview.start(serving.notices.append)
        takes = serving.ask("/api/session").document["takes"]
        assert [take["name"] for take in takes] == ["Hall_7 Anna", "Hall_7 Ben"]
        assert [take["rows"] for take in takes] == [120, 120]
        assert all(take["is_recorded"] and take["has_sound"] for take in takes)
        path = f"/api/takes/{takes[0]['id']}"
        csv = serving.ask(f"{path}/export?format=csv&rate=60").body
        assert csv == next(folder.glob("*Anna_cal.csv")).read_bytes()
    with pytest.raises(UserError, match="no subject 'Cleo'"), opened(subject="Cleo"):
        pass

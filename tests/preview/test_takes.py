"""Takes of the page: their memory, their settings, and rig maps in the folder, valid or not."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory, Keyframe
from cstalk_bridge.face.procedural.animation import DEFAULT_LEVELS
from cstalk_bridge.models.emotions import MOUTH_GUARD
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.preview.recordings import Recording, new_id
from cstalk_bridge.preview.takes import MAX_HELD_S, MAX_TAKES, TakeEntry, Takes, entry_of
from cstalk_bridge.takes.generate import GenerationConfig
from cstalk_bridge.takes.sound import SampledSound
from cstalk_bridge.takes.take import Take, still_head
from tests.preview.serving import serve

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.cstalk.generator import Generator


OURS = b"target: custom\ncurves:\n  A: {offset: 0.5}\n"

BAD = {
    "huge": b"target: custom\ncurves:\n  A: {offset: " + b"9" * 4000 + b"}\n",
    "hex": b"target: custom\ncurves:\n  A: {offset: 0x" + b"f" * 9000 + b"}\n",
    "stamp": b"target: custom\ncurves:\n  A: {offset: !!timestamp foo}\n",
    "date": b"target: custom\ncurves:\n  A: {offset: 2001-01-01}\n",
    "clock": b"target: custom\ncurves:\n  A: {offset: 1:59:59}\n",
    "deep": b"target: custom\ncurves: " + b"[" * 5000,
    "zero": b"curves:\n\0",
    "noise": b"curves:\n" + bytes(range(256)) * 20,
    "itself": b"extends: itself.yaml\n",
    "parent": b'extends: "' + b"x" * 5000 + b'.yaml"\n',
    "null": b'extends: "a/\\0b.yaml"\ncurves: {}\n',
    "nan": b"target: custom\ncurves:\n  A: {offset: .nan}\n",
    "large": b"curves:\n" + b"#" * (2 << 20),
}


def test_a_bad_rig_map_beside_it_never_takes_the_page_down(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.yaml").write_bytes(OURS)
    for name, content in BAD.items():
        (tmp_path / f"{name}.yaml").write_bytes(content)
    (tmp_path / "folder.yaml").mkdir()
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "fifo.yaml")
        (tmp_path / "loop.yaml").symlink_to("loop.yaml")
        (tmp_path / "gone.yaml").symlink_to("nowhere")
        (tmp_path / "endless.yaml").symlink_to("/dev/zero")
    if sys.platform == "linux":
        with open(os.fsencode(tmp_path) + b"/\xff.yaml", "wb") as file:  # noqa: PTH123 - bytes
            file.write(OURS)
    with serve(generator) as serving:
        answer = serving.ask("/api/session")
        assert answer.status == 200
        names = {listed["name"] for listed in answer.document["rigmaps"]}
        assert {"ours", "livelinkface61"} <= names
        stored = {problem["where"].partition(".yaml")[0] for problem in answer.document["problems"]}
        assert stored == set(BAD)
        assert serving.notices == []


def ready(seconds: float = 1.0) -> TakeEntry:
    rows = round(50 * seconds)
    return entry_of(Take("x", (), np.zeros((rows, 0), np.float32), still_head(rows)), None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e9, 10**30, "x"])
def test_the_settings_stored_in_a_take_are_used_within_their_limits_alone(value: object) -> None:
    names = ("lookahead_ms", "mouth_guard", "level_head")
    making = dict.fromkeys(names, value)
    take = Take("x", (), np.zeros((5, 0), np.float32), still_head(5), provenance=making)  # type: ignore[arg-type]
    info = entry_of(take, None).info()
    assert (info["lookahead_ms"], info["mouth_guard"]) == (80, MOUTH_GUARD)
    assert info["levels"] == asdict(DEFAULT_LEVELS)
    json.dumps(info, allow_nan=False)


def generating() -> TakeEntry:
    sound = SampledSound(np.zeros(8000, np.float32), 8000)
    return TakeEntry("x", Recording(new_id(), "x", sound), GenerationConfig())


def test_the_least_recently_used_take_makes_room() -> None:
    takes = Takes()
    entries = [ready() for _ in range(MAX_TAKES)]
    for entry in entries:
        takes.add(entry)
    takes.get(entries[0].id)
    takes.add(ready())
    assert [entry for entry in entries if entry not in takes.all()] == [entries[1]]
    with pytest.raises(UserError, match="closed, or left out"):
        takes.get(entries[1].id)


def test_a_take_in_progress_is_not_evicted() -> None:
    takes = Takes()
    entries = [generating() for _ in range(MAX_TAKES)]
    for entry in entries:
        takes.add(entry)
    with pytest.raises(UserError, match="16 takes are being made"):
        takes.add(generating())
    entries[7].state = "failed"
    takes.add(generating())
    assert entries[7] not in takes.all()
    assert len(takes.used_recordings()) == MAX_TAKES


def test_long_takes_leave_room_for_two_only() -> None:
    takes = Takes()
    entries = [ready(MAX_HELD_S / 2) for _ in range(4)]
    for entry in entries:
        takes.add(entry)
    assert takes.all() == entries[2:]


def test_a_dropped_take_is_stopped() -> None:
    takes = Takes()
    entry = generating()
    takes.add(entry)
    takes.drop(entry.id)
    assert entry.stop.is_set()
    assert takes.all() == []
    with pytest.raises(UserError):
        takes.drop(entry.id)


def test_takes_are_added_and_used_by_many_threads() -> None:
    takes = Takes()

    def work() -> None:
        for _ in range(200):
            entry = ready(0.1)
            takes.add(entry)
            takes.all()
            try:
                takes.drop(entry.id)
            except UserError:
                continue  # Another thread's take has made it leave.

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(takes.all()) <= MAX_TAKES


def test_the_description_of_a_take() -> None:
    entry = generating()
    entry.settings = GenerationConfig(
        EmotionTrajectory((Keyframe(at_s=1.0, emotion={"sad": 1.0}),)), 60, 0.2
    )
    entry.state, entry.problems = "failed", (Problem("x.wav", "damaged", "fix it"),)
    info = entry.info()
    assert info["problems"] == [{"where": "x.wav", "what": "damaged", "remedy": "fix it"}]
    assert (info["emotion"], info["lookahead_ms"], info["duration_s"]) == ({}, 60, 1.0)
    assert info["mouth_guard"] == 0.2


@pytest.mark.parametrize(("stored", "known"), [({"mouth_guard": 0.9}, 0.9), ({}, MOUTH_GUARD)])
def test_an_opened_take_keeps_its_mouth_guard(stored: dict[str, float], known: float) -> None:
    take = Take("x", (), np.zeros((1, 0), np.float32), still_head(1), provenance=stored)
    assert entry_of(take, None).info()["mouth_guard"] == known


def test_an_opened_take_keeps_its_animation_levels() -> None:
    def levels(**stored: float) -> dict[str, float]:
        take = Take("x", (), np.zeros((1, 0), np.float32), still_head(1), provenance={**stored})
        return dict(entry_of(take, None).info()["levels"])

    assert levels(level_head=0.5) == {**levels(), "head": 0.5}
    assert levels(level_head=7.0) == levels() == asdict(DEFAULT_LEVELS)

"""Takes and cues: files that clients may fetch, and takes that end on their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.control.controller import Controller, CueScheduler, TakeController, emotion_cues
from cstalk_bridge.face.emotion_trajectory import Keyframe
from cstalk_bridge.models.errors import UserError
from tests.control.running import running_bridge
from tests.takes.recording.harness import RecorderHarness
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


class TakeHarness:
    """A recorder, its controller, and the notices."""

    def __init__(self, folder: Path) -> None:
        self.stage = RecorderHarness(folder)
        self.notices: list[str] = []
        self.controller = TakeController(self.stage.recorder, self.notices.append)


@pytest.fixture
def takes(tmp_path: Path) -> TakeHarness:
    return TakeHarness(tmp_path / "takes")


def test_take_numbers_increase_and_slates_persist(takes: TakeHarness) -> None:
    names = []
    for slate, number in ((None, None), ("Scene", 7), (None, None)):
        names.append(takes.controller.start(slate, number)[9:])
        takes.stage.step(10)
        assert takes.controller.stop().identifier.endswith(names[-1])
    assert names == ["MySlate_1", "Scene_7", "Scene_8"]


def test_a_take_of_another_process_is_reported_and_numbering_continues(
    takes: TakeHarness,
) -> None:
    identifier = takes.stage.recorder.start("Unreal", 7)
    takes.stage.step(10)
    take = takes.stage.recorder.stop()
    assert take is not None
    assert takes.notices == [
        f"recording take {identifier}",
        f"recorded take {take.folder}",
    ]
    assert (takes.controller.slate, takes.controller.take) == ("Unreal", 8)
    with pytest.raises(UserError, match="no take is being recorded"):
        takes.controller.stop()


def test_a_take_that_ends_by_itself_is_reported_at_once_and_when_stopped(
    takes: TakeHarness,
) -> None:
    takes.controller.start("A", 1)
    takes.stage.step(10)
    takes.stage.number += 3600 * takes.stage.rate.nominal
    takes.stage.step(30)  # until the sound of the first frame after the gap is there
    wait_until(lambda: not takes.controller.is_recording)
    with pytest.raises(UserError, match="no frame came for 360") as stopped:
        takes.controller.stop()
    ended = takes.stage.recorder.last
    assert ended is not None
    assert stopped.value.problems == (ended.problem,)
    assert takes.notices[1:] == [f"take {ended.identifier} is incomplete: {ended.problem}"]
    with pytest.raises(UserError, match="no take is being recorded"):
        takes.controller.stop()


def test_only_files_of_finished_takes_are_found(takes: TakeHarness, tmp_path: Path) -> None:
    root = tmp_path / "takes"
    finished, unfinished, other = root / "A_1", root / "B_1.recording", root / "rendered"
    for folder in (finished, unfinished, other):
        folder.mkdir(parents=True)
        (folder / "curves.csv").write_text("x")
    for folder in (finished, unfinished):
        (folder / "take.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("x")
    (finished / "link.csv").symlink_to(tmp_path / "secret.txt")
    (finished / "deep").mkdir()
    (finished / "deep" / "curves.csv").write_text("x")
    assert takes.controller.file("A_1/curves.csv") == (finished / "curves.csv").resolve()
    assert takes.controller.file("/A_1/curves.csv") == (finished / "curves.csv").resolve()
    for path in (
        "", "/", ".", "A_1", "A_1/", "A_1/none.csv", "A_1/../../secret.txt", "../secret.txt",
        str(tmp_path / "secret.txt"), "A_1/link.csv", "A_1/deep/curves.csv", "A_1/\0",
        "B_1.recording/curves.csv", "rendered/curves.csv", "a" * 5000, "~/x", "C:\\x",
    ):  # fmt: skip
        with pytest.raises(UserError, match="no file of a take has this path"):
            takes.controller.file(path)


SAD, ANGRY = (
    Keyframe(at_s=0.0, emotion={"sad": 1.0}, over_s=0.0),
    Keyframe(at_s=0.4, emotion="angry:0.5"),
)
HAPPY = Keyframe(at_s=0.2, emotion={"happy": 0.7})


def test_cues_of_all_subjects_are_in_order_of_time() -> None:
    found = emotion_cues({"One": [SAD, ANGRY], "Two": [HAPPY]})
    assert [(p.subject, p.key.at_s) for p in found] == [("One", 0.0), ("Two", 0.2), ("One", 0.4)]


def test_a_run_follows_the_keys_of_its_config(tmp_path: Path) -> None:
    keys = [
        {"at_s": 0.0, "emotion": "sad", "over_s": 0.1},
        {"at_s": 0.5, "emotion": "happy:0.8", "over_s": 0.1},
    ]
    subject = {"name": "A", "audio": {"input": "test"}, "emotions": keys}
    with running_bridge(tmp_path, subjects=[subject]) as bridge:
        emotion_at = bridge.metrics.subjects[0].emotion_at
        bridge.wait_for(lambda: emotion_at(bridge.now())["sad"] == 1.0)
        begun_s = bridge.now()
        bridge.wait_for(lambda: bridge.controller.subject("A").mix == {"happy": 0.8})
        assert bridge.now() - begun_s > 0.2


def test_a_cue_for_an_unknown_subject_is_reported_and_the_others_run() -> None:
    """No bridge runs, so each cue is for an unknown subject."""
    cue_scheduler = CueScheduler(
        emotion_cues({"One": [SAD], "Two": [HAPPY]}), Controller(), lambda: 0.0
    )
    cue_scheduler.start()
    cue_scheduler.stop()
    never = CueScheduler((), Controller(), lambda: 0.0)
    never.stop()

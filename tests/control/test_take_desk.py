"""Which files are handed out, and what becomes of takes that end by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.control.take_desk import TakeDesk
from bridge.errors import UserError
from tests.recording.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Told:
    """A stage, its desk, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.notices: list[str] = []
        self.announced: list[tuple[str, Mapping[str, Any]]] = []
        self.desk = TakeDesk(
            self.stage.recorder,
            self.notices.append,
            lambda path, body: self.announced.append((path, body)),
        )


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "takes")


def test_numbers_go_up_and_slates_stay(told: Told) -> None:
    names = []
    for slate, number in ((None, None), ("Scene", 7), (None, None)):
        names.append(told.desk.start(slate, number)[9:])
        told.stage.step(10)
        assert told.desk.stop().identifier.endswith(names[-1])
    assert names == ["MySlate_1", "Scene_7", "Scene_8"]


def test_metahuman_clients_hear_of_takes(told: Told) -> None:
    identifier = told.desk.start("A", 1)
    told.stage.step(10)
    told.desk.stop()
    assert told.announced == [
        ("/state/recording", {"isRecording": True}),
        ("/state/recording", {"isRecording": False}),
        ("/take/added", {"name": identifier}),
    ]
    assert told.notices[0] == f"the take {identifier} is being recorded"


def test_only_files_of_finished_takes_are_found(told: Told, tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    finished, unfinished, other = takes / "A_1", takes / "B_1.recording", takes / "rendered"
    for folder in (finished, unfinished, other):
        folder.mkdir(parents=True)
        (folder / "curves.csv").write_text("x")
    for folder in (finished, unfinished):
        (folder / "take.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("x")
    (finished / "link.csv").symlink_to(tmp_path / "secret.txt")
    (finished / "deep").mkdir()
    (finished / "deep" / "curves.csv").write_text("x")
    assert told.desk.file("A_1/curves.csv") == (finished / "curves.csv").resolve()
    assert told.desk.file("/A_1/curves.csv") == (finished / "curves.csv").resolve()
    for path in (
        "", "/", ".", "A_1", "A_1/", "A_1/none.csv", "A_1/../../secret.txt", "../secret.txt",
        str(tmp_path / "secret.txt"), "A_1/link.csv", "A_1/deep/curves.csv", "A_1/\0",
        "B_1.recording/curves.csv", "rendered/curves.csv", "a" * 5000, "~/x", "C:\\x",
    ):  # fmt: skip
        with pytest.raises(UserError, match="no such file of a take"):
            told.desk.file(path)

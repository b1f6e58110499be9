from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.takes.recording.folder import claim_folder, finish_folder
from tests.takes.recording.harness import BEGAN

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_name_is_never_given_twice(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        name, path = claim_folder(tmp_path, "MySlate", 3, BEGAN)
        assert path.name == f"{name.identifier}.recording"
        names.append(finish_folder(path).name)
    other, _ = claim_folder(tmp_path, "MySlate", 3, BEGAN)
    names.append(other.identifier)
    assert names == [f"20250228_MySlate_3{again}" for again in ("", "-2", "-3", "-4")]


def test_slates_that_differ_in_case_or_unicode_form_are_the_same_take(tmp_path: Path) -> None:
    names = []
    for slate in ("Scène", "SCÈNE", "Sce\u0300ne"):
        _, path = claim_folder(tmp_path, slate, 1, BEGAN)
        names.append(finish_folder(path).name)
    assert names == ["20250228_Scène_1", "20250228_SCÈNE_1-2", "20250228_Sce\u0300ne_1-3"]


def test_a_take_finished_by_another_process_is_kept(tmp_path: Path) -> None:
    name, path = claim_folder(tmp_path, "MySlate", 3, BEGAN)
    (tmp_path / name.identifier).mkdir()
    (tmp_path / name.identifier / "mine").touch()
    assert finish_folder(path).name == "20250228_MySlate_3-2"
    assert (tmp_path / name.identifier / "mine").exists()


def test_an_impossible_folder_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be recorded here"):
        claim_folder(tmp_path / "file" / "takes", "MySlate", 3, BEGAN)

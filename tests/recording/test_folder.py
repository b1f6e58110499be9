from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.errors import UserError
from bridge.export.take_name import subject_in
from bridge.recording.folder import CURVES_SUFFIX, TakeName, claim, release, stems
from tests.recording.stage import BEGAN

if TYPE_CHECKING:
    from pathlib import Path

UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]|[. ]$')


def test_names_are_those_of_the_app() -> None:
    name = TakeName("MySlate", 24, "20250228")
    assert name.identifier == "20250228_MySlate_24"
    assert name.stem("iPhone") + CURVES_SUFFIX == "MySlate_take_24_iPhone_cal.csv"


@given(st.text(min_size=1, max_size=300), st.lists(st.text(max_size=300), min_size=1, max_size=4))
def test_names_are_safe_and_no_two_alike(slate: str, subjects: list[str]) -> None:
    name = TakeName(slate, 2**31 - 1, "20250228", 7)
    found = stems(name, subjects)
    assert len({stem.lower() for stem in found}) == len(subjects)
    for text in (name.identifier, *found):
        assert not UNSAFE.search(text)
        assert len(text.encode()) < 200


@given(st.text(min_size=1, max_size=30), st.text("abcXYZ0189_-é ", min_size=1, max_size=20))
def test_unreal_finds_the_subject_in_the_name_of_its_curves(slate: str, subject: str) -> None:
    assume(not subject.endswith((" ", "_cal", "_raw", "_neutral", "_")))
    assume(not re.match(r"[_ ]", subject))
    for repeat in (0, 4):
        stem = TakeName(slate, 24, "20250228", repeat).stem(subject)
        assert subject_in(f"{stem}_cal") == subject.replace(" ", "_")


def test_a_name_is_never_given_twice(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        name, path = claim(tmp_path, "MySlate", 3, BEGAN)
        assert path.name == f"{name.identifier}.recording"
        names.append(release(path).name)
    other, _ = claim(tmp_path, "MySlate", 3, BEGAN)
    names.append(other.identifier)
    assert names == [f"20250228_MySlate_3{again}" for again in ("", "-2", "-3", "-4")]


def test_a_slate_in_another_case_or_form_of_unicode_is_the_same_take(tmp_path: Path) -> None:
    names = []
    for slate in ("Scène", "SCÈNE", "Sce\u0300ne"):
        _, path = claim(tmp_path, slate, 1, BEGAN)
        names.append(release(path).name)
    assert names == ["20250228_Scène_1", "20250228_SCÈNE_1-2", "20250228_Sce\u0300ne_1-3"]


def test_a_finished_take_that_comes_between_is_kept(tmp_path: Path) -> None:
    name, path = claim(tmp_path, "MySlate", 3, BEGAN)
    (tmp_path / name.identifier).mkdir()
    (tmp_path / name.identifier / "mine").touch()
    assert release(path).name == "20250228_MySlate_3-2"
    assert (tmp_path / name.identifier / "mine").exists()


def test_a_folder_that_cannot_be_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be recorded here"):
        claim(tmp_path / "file" / "takes", "MySlate", 3, BEGAN)

"""Names of curves files, and the subject which Unreal's importer takes from them."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cstalk_bridge.takes.names import (
    CURVES_SUFFIX,
    MAX_SLATE_BYTES,
    TakeName,
    is_found,
    one_part,
    subject_in,
    subject_stems,
    take_stem,
)


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("speech_1_CSTalk_cal", "speech_1_CSTalk"),
        ("speech_take_1_CSTalk_cal", "CSTalk"),
        ("20250228_MySlate_24_iPhone_cal", "iPhone"),
        ("20250228_MySlate_24_iPhone_raw", "iPhone"),
        ("20250228_MySlate_24_iPhone_neutral", "iPhone"),
        ("my_line_01_CSTalk_cal", "CSTalk"),
        ("my_line_01_1_CSTalk_cal", "1_CSTalk"),
        ("a_b_c_d_cal", "a_b_c_d"),
        ("Scene 4_3_Ada Lovelace_cal", "3_Ada_Lovelace"),
        ("12_take_3_Ada_L_cal", "Ada_L"),
        ("_cal", ""),
    ],
)
def test_the_importers_rule(name: str, subject: str) -> None:
    assert subject_in(name) == subject


@pytest.mark.parametrize(
    ("slate", "number", "stem", "finds"),
    [
        ("speech", None, "speech_take_1_CSTalk", True),
        ("speech", 7, "speech_take_7_CSTalk", True),
        ("12", 7, "12_take_7_CSTalk", True),
        ("my_line_01", None, "my_line_01_CSTalk", True),
        ("my_line_01", 2, "my-line-01_take_2_CSTalk", True),
        ("scene 4 b", 2, "scene-4-b_take_2_CSTalk", True),
        ("act_scene", None, "act_scene_take_1_CSTalk", True),
        ("scene_12_line_03", None, "scene_12_line_03_take_1_CSTalk", False),
        ("hello_1", None, "hello_1_take_1_CSTalk", False),
        ("\udce9t\udce9", 1, "?t?_take_1_CSTalk", True),
    ],
)
def test_a_slate_is_kept_and_the_subject_is_found_where_both_can_be(
    slate: str, number: int | None, stem: str, finds: bool
) -> None:
    assert take_stem(slate, number, "CSTalk") == stem
    assert is_found("CSTalk", stem) is finds


@given(st.text(min_size=1, max_size=400), st.integers(0, 2**31 - 1))
def test_a_take_with_a_number_is_always_found(slate: str, number: int) -> None:
    stem = take_stem(slate, number, "CSTalk")
    assert subject_in(f"{stem}_cal") == "CSTalk"
    assert len(stem.encode("utf-8", "replace")) <= MAX_SLATE_BYTES + len("_take_2147483647_CSTalk")


@given(st.text())
def test_one_part_is_one_part(text: str) -> None:
    assert "_" not in one_part(text)
    assert subject_in(f"a_{one_part(text)}_7_Ada_cal") in ("Ada", "7_Ada")


UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]|[. ]$')


def test_names_are_those_of_the_app() -> None:
    name = TakeName("MySlate", 24, "20250228")
    assert name.identifier == "20250228_MySlate_24"
    assert name.stem("iPhone") + CURVES_SUFFIX == "MySlate_take_24_iPhone_cal.csv"


@given(st.text(min_size=1, max_size=300), st.lists(st.text(max_size=300), min_size=1, max_size=4))
def test_names_are_safe_and_no_two_alike(slate: str, subjects: list[str]) -> None:
    name = TakeName(slate, 2**31 - 1, "20250228", 7)
    found = subject_stems(name, subjects)
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

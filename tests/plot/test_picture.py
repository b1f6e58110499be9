"""From files to pictures: names, user errors, written files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.plot.picture import View, distinct_names, load_input, make_picture, plan
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.takes.file import save_take
from cstalk_bridge.takes.reader import load_take
from tests.plot.studies import calm_take, moved

if TYPE_CHECKING:
    from pathlib import Path


VIEW = View(load_rigmap("livelinkface61"))


@pytest.fixture
def takes(tmp_path: Path) -> list[Path]:
    """Three takes on disk, one with a value on its limit."""
    paths = [tmp_path / f"{name}.take" for name in ("a", "b", "c d")]
    for path in paths:
        save_take(calm_take(2.0, slate=path.stem), path)
    loud = moved(calm_take(2.0, slate="b"), "CTRL_C_jaw.ty", 1.0, slice(20, 40))
    save_take(loud, paths[1], overwrite=True)
    return paths


def problems(inputs: list[Path], output: Path | None, folder: Path) -> list[str]:
    with pytest.raises(UserError) as caught:
        plan(inputs, output, folder)
    return [problem.what for problem in caught.value.problems]


def test_one_or_two_takes_make_one_picture_and_more_one_each(takes: list[Path]) -> None:
    folder = takes[0].parent
    assert [job.output.name for job in plan(takes[:1], None, folder)] == ["a.png"]
    (both,) = plan(takes[:2], None, folder)
    assert (both.output.name, both.inputs) == ("a_and_b.png", tuple(takes[:2]))
    named = [job.output for job in plan(takes, folder, folder)]
    assert named == [folder / name for name in ("a.png", "b.png", "c d.png")]


def test_pictures_of_takes_with_the_same_name_get_numbers(takes: list[Path]) -> None:
    other = takes[0].parent / "other"
    other.mkdir()
    again = other / "A.take"
    again.write_bytes(takes[0].read_bytes())
    jobs = plan([*takes, again], None, other)
    assert [job.output.name for job in jobs] == ["a.png", "b.png", "c d.png", "A-2.png"]


def test_takes_with_the_same_name_are_told_apart_in_their_headings(tmp_path: Path) -> None:
    monday, tuesday = tmp_path / "monday" / "a.take", tmp_path / "tuesday" / "a.take"
    assert distinct_names(["a_1", "b_1"], [monday, tuesday]) == ["a_1", "b_1"]
    names = distinct_names(["a_1", "a_1"], [monday, tuesday])
    assert names == ["monday/a_1", "tuesday/a_1"]
    assert distinct_names(["a", "a"], [monday / "x", tuesday / "x"])[0] == "monday/a.take/a"
    beside = monday.with_suffix(".wav")
    assert distinct_names(["a_1", "a_1"], [monday, beside]) == ["a.take", "a.wav"]


def test_all_wrong_names_are_reported_at_once(takes: list[Path]) -> None:
    folder = takes[0].parent
    (folder / "notes.txt").write_text("no take", encoding="utf-8")
    messages = problems(
        [*takes, folder / "gone.take", folder / "notes.txt"], folder / "no" / "x.gif", folder
    )
    assert messages == [
        "no such file",
        "neither a take nor a recording",
        "a picture ends in .png or .html",
        "one picture holds at most 2 takes, 5 are named",
        f"there is no folder {folder / 'no'}",
    ]


def test_existing_pictures_and_pages_are_overwritten(takes: list[Path]) -> None:
    for name, begin in (("x.png", b"\x89PNG"), ("x.HTML", b"<!doctype html>")):
        output = takes[0].parent / name
        output.write_bytes(b"older")
        (job,) = plan(takes[:2], output, takes[0].parent)
        found = make_picture(job, VIEW, load_take)
        assert [finding.counts["clipped"] for finding in found] == [0, 1]
        assert output.read_bytes().startswith(begin)
    assert sorted(path.suffix for path in takes[0].parent.iterdir()) == sorted(
        [".take"] * 3 + [".png", ".HTML"]
    )


def test_a_page_shows_only_the_requested_segment(takes: list[Path]) -> None:
    output = takes[0].parent / "x.html"
    (job,) = plan(takes[1:2], output, takes[0].parent)
    late = View(VIEW.rigmap, start_s=1.0, end_s=1.5, wanted=("BrowInnerUp",))
    (found,) = make_picture(job, late, load_take)
    assert found.counts["clipped"] == 0
    text = output.read_text(encoding="utf-8")
    assert "1.00 s to 1.50 s" in text
    assert "BrowInnerUp" in text
    assert "JawOpen" not in text


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(-1.0, None), (2.0, 1.0), (float("nan"), None), (float("inf"), None)]
)
def test_an_invalid_time_segment_is_reported(start_s: float, end_s: float | None) -> None:
    view = View(VIEW.rigmap, start_s=start_s, end_s=end_s)
    assert [problem.where for problem in view.problems()] == ["--start, --end"]


def test_an_unknown_curve_is_reported_with_the_nearest_one() -> None:
    (problem,) = View(VIEW.rigmap, wanted=("JawOpne",)).problems()
    assert "JawOpne" in problem.what
    assert "JawOpen" in problem.remedy


def test_a_segment_after_the_end_is_reported_with_the_length(takes: list[Path]) -> None:
    (job,) = plan(takes[:1], None, takes[0].parent)
    with pytest.raises(UserError, match="it is 2 s long"):
        make_picture(job, View(VIEW.rigmap, start_s=2.0), load_take)


def test_a_take_of_another_version_or_a_damaged_one_is_reported(takes: list[Path]) -> None:
    content = takes[0].read_bytes()
    newer = re.sub(rb'"version": ?1\b', b'"version": 9', content)
    assert newer != content
    for damaged in (newer, content[: len(content) // 2], b"PK"):
        takes[0].write_bytes(damaged)
        (job,) = plan(takes[:1], None, takes[0].parent)
        with pytest.raises(UserError, match=re.escape(str(takes[0]))):
            make_picture(job, VIEW, load_take)
        assert not job.output.exists()


def test_a_file_that_cannot_be_written_is_reported(takes: list[Path]) -> None:
    (job,) = plan(takes[:1], takes[0].parent / ("x" * 300 + ".png"), takes[0].parent)
    with pytest.raises(UserError, match="cannot be written"):
        make_picture(job, VIEW, load_take)
    assert problems([takes[0].with_name("y" * 300 + ".take")], None, takes[0].parent) == [
        "no such file"
    ]


def test_a_recording_is_generated_to_a_take_first(tmp_path: Path) -> None:
    asked: list[Path] = []

    def generate(path: Path) -> object:
        asked.append(path)
        return calm_take()

    assert load_input(tmp_path / "x.WAV", generate).name == "calm_1"  # type: ignore[arg-type]
    assert asked == [tmp_path / "x.WAV"]

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.render.inputs import FoundInput, find_inputs
from cstalk_bridge.takes.render.jobs import Shard, make_jobs, parse_shard

FORMS = (FORMATS["take"], FORMATS["csv"])


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


def below(arguments: list[str], out: Path) -> list[str]:
    return sorted(file.below.as_posix() for file in find_inputs(arguments, out).found)


def test_a_folder_means_all_recordings_below_it(tmp_path: Path) -> None:
    touch(
        tmp_path / "in/a.wav",
        tmp_path / "in/deep/er/b.FLAC",
        tmp_path / "in/c.take",
        tmp_path / "in/notes.txt",
        tmp_path / "in/._a.wav",
        tmp_path / "in/.git/d.wav",
    )
    assert below([str(tmp_path / "in")], tmp_path / "out") == ["a.wav", "c.take", "deep/er/b.FLAC"]


def test_outputs_are_not_inputs_of_the_next_run(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav", tmp_path / "out/a.take", tmp_path / "b.wav", tmp_path / "b.take")
    assert below([str(tmp_path)], tmp_path / "out") == ["a.wav", "b.wav"]
    assert below([str(tmp_path)], tmp_path) == ["a.wav", "b.wav", "out/a.take"]


def test_a_pattern_keeps_the_tree_below_its_fixed_part(tmp_path: Path) -> None:
    touch(tmp_path / "s1/x/a.wav", tmp_path / "s2/x/a.wav", tmp_path / "s2/x/a.txt")
    assert below([f"{tmp_path}/s*/x/*"], tmp_path / "out") == ["s1/x/a.wav", "s2/x/a.wav"]
    assert below([f"{tmp_path}/**/*.wav"], tmp_path / "out") == ["s1/x/a.wav", "s2/x/a.wav"]
    assert below([f"{tmp_path}/s[2]"], tmp_path / "out") == ["s2/x/a.wav"]


def test_a_path_with_brackets_is_a_file_name_first(tmp_path: Path) -> None:
    touch(tmp_path / "take [1].wav")
    assert below([str(tmp_path / "take [1].wav")], tmp_path / "out") == ["take [1].wav"]


def test_an_input_named_twice_is_rendered_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    argument = str(tmp_path / "a.wav")
    assert below([argument, argument, str(tmp_path)], tmp_path / "out") == ["a.wav"]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert below([str(tmp_path)], tmp_path / "out") == ["a.wav"]


def test_arguments_without_any_input_are_reported(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    arguments = [str(tmp_path / "no.wav"), f"{tmp_path}/*.wav", str(tmp_path / "empty")]
    whats = [problem.what for problem in find_inputs(arguments, tmp_path / "out").problems]
    assert whats[:2] == ["no such file or folder", "no recording matches this pattern"]
    assert whats[2].startswith("contains no recording")


def found(tmp_path: Path, *names: str) -> list[FoundInput]:
    touch(*(tmp_path / name for name in names))
    return [FoundInput(tmp_path / name, Path(name)) for name in names]


def test_outputs_mirror_the_tree_of_inputs(tmp_path: Path) -> None:
    jobs, _ = make_jobs(found(tmp_path, "act 1/lïne_1.wav"), FORMS, Shard())
    assert [str(jobs[0].output(form)) for form in FORMS] == [
        "act 1/lïne_1.take",
        "act 1/lïne_1_take_1_CSTalk_cal.csv",
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("a.wav", "a.flac"),
        pytest.param(
            ("b/x.wav", "B/X.wav"),
            marks=pytest.mark.skipif(os.name == "nt", reason="there the two are one file"),
        ),
        ("é.wav", "e\u0301.wav"),
        ("line.wav", "\uff2cine.mp3"),
        ("line .wav", "line_.mp3"),
    ],
)
def test_two_inputs_with_one_output_fail_alone(tmp_path: Path, names: tuple[str, str]) -> None:
    jobs, problems = make_jobs(found(tmp_path, *names, "other.wav"), FORMS, Shard())
    assert [job.source.name for job in jobs] == ["other.wav"]
    assert [problem.where for problem in problems] == [str(tmp_path / name) for name in names]
    assert names[1] in problems[0].what
    assert "neither is rendered" in problems[0].what


def test_names_that_differ_in_punctuation_are_distinct(tmp_path: Path) -> None:
    jobs, problems = make_jobs(found(tmp_path, "x_1.wav", "x-1.wav"), FORMS, Shard())
    assert (len(jobs), problems) == (2, [])


def test_a_long_name_is_shortened_before_the_part_that_unreal_needs(tmp_path: Path) -> None:
    stem = "ü" * 100
    (job,), _ = make_jobs(found(tmp_path, f"{stem}.wav"), FORMS, Shard())
    name = job.output(FORMATS["csv"]).name
    assert name.endswith("_take_1_CSTalk_cal.csv")
    assert len(name.encode()) <= 184


def test_skipped_files_are_counted_and_named(tmp_path: Path) -> None:
    touch(
        *(tmp_path / "in" / name for name in ("a.wav", "a.take", "a.emotion.yaml", "b.m4a")),
        *(tmp_path / "in" / name for name in ("notes.txt", "clip.wma", ".hidden", "render.jsonl")),
        *(tmp_path / "in/sub" / f"{number}.txt" for number in range(9)),
    )
    inputs = find_inputs([str(tmp_path / "in")], tmp_path / "out")
    assert [file.path.name for file in inputs.found] == ["a.wav", "b.m4a"]
    assert len(inputs.left_out) == 11
    assert inputs.notice.startswith("ignored, being neither recordings nor takes: ")
    assert "clip.wma" in inputs.notice
    assert "notes.txt" in inputs.notice
    assert inputs.notice.endswith("2.txt and 6 more")
    some = find_inputs([f"{tmp_path}/in/*"], tmp_path / "out")
    assert {path.name for path in some.left_out} >= {"clip.wma", "notes.txt"}


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be on Windows")
def test_hostile_names_stay_inside_the_folder_and_are_portable(tmp_path: Path) -> None:
    names = ("q\"uo'te.wav", "nul.wav", "c:d.wav", "back\\slash.wav", "..wav", "dots...wav")
    jobs, _ = make_jobs(found(tmp_path, *names), FORMS, Shard())
    assert sorted(str(job.output(FORMS[0])) for job in jobs) == [
        "_.take",
        "_nul.take",
        "back_slash.take",
        "c_d.take",
        "dots__.take",
        "q_uo'te.take",
    ]


def test_an_output_cannot_leave_the_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    jobs, _ = make_jobs([FoundInput(tmp_path / "a.wav", Path("../../a.wav"))], FORMS, Shard())
    assert jobs[0].place == PurePosixPath("__/__/a")


def test_shards_are_disjoint_complete_and_stable(tmp_path: Path) -> None:
    files = found(tmp_path, *(f"{number}.wav" for number in range(60)))
    shards = [{job.place for job in make_jobs(files, FORMS, Shard(i, 4))[0]} for i in (1, 2, 3, 4)]
    assert sum(map(len, shards)) == 60 == len(set().union(*shards))
    assert all(5 < len(shard) < 25 for shard in shards)
    fewer = {job.place for job in make_jobs(files[:30], FORMS, Shard(2, 4))[0]}
    assert fewer == {place for place in shards[1] if int(place.name) < 30}


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/", "a/b", "-1/2", "1/2/3", "1/1000000"])
def test_invalid_shards_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="write i/n"):
        parse_shard(text)


def test_a_shard_is_parsed() -> None:
    assert parse_shard("2/8") == Shard(2, 8)

"""Recordings of an object store render as those of a folder do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import fsspec
import pytest

from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.render.fetching import MAX_CHUNK_BYTES, MAX_CHUNK_JOBS, chunks, fetched
from cstalk_bridge.takes.render.inputs import find_inputs
from cstalk_bridge.takes.render.jobs import RenderConfig, Shard, make_jobs
from cstalk_bridge.takes.render.pipeline import render
from cstalk_bridge.takes.render.progress import JobLog, ManifestEntry, RenderProgress
from cstalk_bridge.takes.render.remote import is_url
from tests.takes.render.recordings import write_speech

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = RenderConfig(formats=(FORMATS["take"],), device="cpu")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The URL of a bucket of a store on this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    fsspec.filesystem("s3").mkdir("lines")
    yield "s3://lines"
    patch.undo()
    server.stop()


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> str:
    """The URL of an empty place in a store."""
    if request.param == "memory":
        return "memory:///voices/fr"
    return f"{request.getfixturevalue('s3')}/voices/fr"


def upload(folder: Path, url: str) -> None:
    filesystem, path = fsspec.url_to_fs(url)
    for file in folder.rglob("*"):
        if file.is_file():
            filesystem.pipe_file(f"{path}/{file.relative_to(folder).as_posix()}", file.read_bytes())


def takes(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.take")}


def test_a_store_gives_the_files_of_a_folder_and_resumes(store: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number in range(3):
        write_speech(folder / f"act {number}/line.wav", 0.3, turn=number)
    (folder / "act 1/line.emotion.yaml").write_text("- {at_s: 0, emotion: happy}\n")
    (folder / "act 2/corrupt.wav").write_bytes(b"RIFF")
    upload(folder, store)
    here = render([str(folder)], tmp_path / "here", SETTINGS)
    there = render([store], tmp_path / "there", SETTINGS)
    assert (there.done, there.left_out) == (here.done, here.left_out) == (3, 0)
    assert takes(tmp_path / "there") == takes(tmp_path / "here")
    ((source, (problem,)),) = there.failures
    assert source == problem.where == f"{store}/act 2/corrupt.wav"
    assert render([store], tmp_path / "there", SETTINGS).skipped == 3
    write_speech(folder / "act 0/line.wav", 0.4)
    upload(folder, store)
    assert render([f"{store}/act 0/*.wav"], tmp_path / "there", SETTINGS).done == 1
    single = render([f"{store}/act 1/line.wav"], tmp_path / "single", SETTINGS)
    assert single.done == 1
    assert takes(tmp_path / "single")["line.take"] == takes(tmp_path / "here")["act 1/line.take"]


def test_what_vanishes_before_it_is_fetched_fails_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_speech(tmp_path / f"in/{name}.wav")
    upload(tmp_path / "in", "memory:///vanishing")
    found = find_inputs(["memory:///vanishing"], tmp_path).found
    jobs, _ = make_jobs(found, SETTINGS.formats, Shard())
    fsspec.filesystem("memory").rm_file("/vanishing/a.wav")
    entries: list[ManifestEntry] = []
    progress = RenderProgress(2, sum(job.size for job in jobs), 0.0)
    with fetched(jobs, JobLog(entries, progress)) as here:
        assert [job.where for job in here] == ["memory:///vanishing/b.wav"]
        folder = here[0].source.parent
        assert here[0].source.read_bytes() == (tmp_path / "in/b.wav").read_bytes()
    assert not folder.exists()
    (entry,) = entries
    assert (entry.source, entry.state) == ("memory:///vanishing/a.wav", "failed")
    assert "cannot be fetched" in entry.problems[0]


def test_a_place_without_recordings_is_a_problem(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/notes/readme.txt", b"x")
    for url, message in (
        ("memory:///nowhere", "cannot be listed"),
        ("memory:///notes", "no recording is there"),
        ("nonsense://x/y", "cannot be opened"),
    ):
        (problem,) = find_inputs([url], tmp_path).problems
        assert message in str(problem)
        assert problem.where == url


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("s3://lines/en", True), ("gs://a/*.wav", True), ("C://voices", False), ("a/b.wav", False)],
)
def test_urls_are_told_from_paths(argument: str, expected: bool) -> None:
    assert is_url(argument) == expected


def test_chunks_are_bounded_and_of_one_length(tmp_path: Path) -> None:
    sizes = [1000 + number % 7 for number in range(200)] + [MAX_CHUNK_BYTES * 2, 5_000_000] * 3
    for number, size in enumerate(sizes):
        path = tmp_path / f"{number}.wav"
        path.touch()
        os.truncate(path, size)
    jobs, _ = make_jobs(
        find_inputs([str(tmp_path)], tmp_path / "out").found, SETTINGS.formats, Shard()
    )
    made = list(chunks(jobs))
    assert sorted(job.place for chunk in made for job in chunk) == sorted(j.place for j in jobs)
    assert all(len(chunk) <= MAX_CHUNK_JOBS for chunk in made)
    assert all(
        len(chunk) == 1 or sum(job.size for job in chunk) <= MAX_CHUNK_BYTES for chunk in made
    )
    flat = [job.size for chunk in made for job in chunk]
    assert flat == sorted(flat, reverse=True)

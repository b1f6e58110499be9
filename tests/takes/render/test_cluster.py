"""A render on a Ray cluster gives the files of one machine, whatever dies meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from cstalk_bridge.cli import main
from cstalk_bridge.models.files import PARTIAL_SUFFIX
from cstalk_bridge.system.process import program_version
from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.render.cluster import RayEngine, Worker
from cstalk_bridge.takes.render.inputs import find_inputs
from cstalk_bridge.takes.render.jobs import (
    RenderConfig,
    Shard,
    create_output_formats,
    make_jobs,
    weights_hash,
)
from cstalk_bridge.takes.render.pipeline import RenderWork, render
from tests.takes.render.recordings import write_speech
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cstalk_bridge.takes.render.jobs import Job
    from cstalk_bridge.takes.render.progress import RenderProgress


ROOT = Path(__file__).resolve().parents[3]
SETTINGS = RenderConfig(device="cpu")
MANY = 200
"""Recordings: 13 chunks, so that there are some left when a worker dies."""


def work_in(out: Path, settings: RenderConfig = SETTINGS) -> RenderWork:
    weights = weights_hash(settings)
    return RenderWork(settings, create_output_formats(settings, weights), out, weights)


def jobs_of(folder: Path) -> list[Job]:
    inputs = find_inputs([str(folder)], folder / "out")
    return make_jobs(inputs.found, SETTINGS.formats, Shard())[0]


def outputs(out: Path) -> dict[str, bytes]:
    files = (path for path in out.rglob("*") if path.is_file() and path.suffix != ".jsonl")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def test_a_worker_renders_what_one_machine_renders(tmp_path: Path) -> None:
    for number in range(5):
        write_speech(tmp_path / f"in/{number}.wav", 0.3 + 0.2 * number, turn=number)
    (tmp_path / "in/corrupt.wav").write_bytes(b"RIFF")
    render([str(tmp_path / "in")], tmp_path / "one", SETTINGS)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/render.jsonl").touch()
    worker = Worker(work_in(tmp_path / "out"), "cpu", program_version())
    assert worker.start() == ()
    entries, progress = worker.render(jobs_of(tmp_path / "in"))
    assert outputs(tmp_path / "out") == outputs(tmp_path / "one")
    assert sorted(entry.state for entry in entries) == ["done"] * 5 + ["failed"]
    assert (progress.done, len(progress.failures)) == (5, 1)


def test_a_worker_that_would_differ_takes_no_part(tmp_path: Path) -> None:
    work = replace(work_in(tmp_path / "elsewhere"), weights="0")
    found = [str(problem) for problem in Worker(work, "cpu", "0.0").start()]
    for text in ("not 0.0", "other weights", "does not see"):
        assert any(text in problem for problem in found)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--address", "auto"], "--address: is for a Ray cluster; add --engine ray"),
        (["--workers", "2"], "--workers: is for a Ray cluster; add --engine ray"),
        (["--engine", "ray", "--workers", "0"], "--workers: 0 is too few"),
    ],
)
def test_flags_of_a_cluster_are_checked(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", str(tmp_path), "-o", str(tmp_path / "out"), *flags]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A folder of recordings, one of them corrupt, and what one machine makes of it."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(MANY):
        write_speech(folder / f"in/{number}.wav", 0.3, turn=number)
    (folder / "in/7.wav").write_bytes(b"RIFF")
    assert render([str(folder / "in")], folder / "one", SETTINGS).done == MANY - 1
    return folder / "in", outputs(folder / "one")


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A cluster of this machine: a head without workers, and two nodes of one core."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **store})
    for _ in range(2):
        cluster.add_node(num_cpus=1, **store)
    yield cluster
    cluster.shutdown()


def worker_pids() -> list[int]:
    """Return the processes of Ray's that are one of our workers."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [""])[0].startswith("ray::Worker")
    ]


def watch_with(act: Callable[[RenderProgress], None]) -> Any:
    """Return a `watch` of a render that runs `act` beside it."""

    @contextmanager
    def watch(progress: RenderProgress) -> Iterator[None]:
        thread = threading.Thread(target=act, args=(progress,))
        thread.start()
        yield
        thread.join()

    return watch


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is not on Windows")
def test_a_killed_worker_and_a_removed_node_cost_nothing(
    cluster: Any, many: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    folder, expected = many

    def harm(progress: RenderProgress) -> None:
        wait_until(lambda: progress.done and worker_pids(), 300.0)
        os.kill(worker_pids()[0], signal.SIGKILL)
        cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)

    progress = render(
        [str(folder)],
        tmp_path,
        SETTINGS,
        watch=watch_with(harm),
        engine=RayEngine(cluster.address),
    )
    assert progress.done == MANY - 1
    ((source, _),) = progress.failures
    assert source == str(folder / "7.wav")
    assert any("a worker died" in notice for notice in progress.notices)
    assert outputs(tmp_path) == expected
    lines = map(json.loads, (tmp_path / "render.jsonl").read_text("utf-8").splitlines())
    done = [line["place"] for line in lines if line["state"] == "done"]
    assert sorted(done) == sorted({str(number) for number in range(MANY)} - {"7"})


def test_an_input_that_kills_its_workers_fails_alone(tmp_path: Path) -> None:
    pytest.importorskip("ray")

    class DyingWorker(Worker):
        """Dies of one of its inputs, as of a fault of a decoder."""

        def render(self, jobs: Sequence[Job]) -> Any:
            if any(job.slate == "poison" for job in jobs):
                os._exit(1)
            return super().render(jobs)

    for name in ("good", "poison", "fine"):
        write_speech(tmp_path / f"in/{name}.wav")
    settings = replace(SETTINGS, formats=(FORMATS["csv"],))
    progress = render(
        [str(tmp_path / "in")],
        tmp_path / "out",
        settings,
        watch=nullcontext,
        engine=RayEngine(workers=1, worker=DyingWorker),
    )
    assert progress.done == 2
    ((source, (problem,)),) = progress.failures
    assert source.endswith("poison.wav")
    assert "3 workers died while they rendered it" in problem.what


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send another Ctrl+C there")
def test_ctrl_c_stops_and_the_same_command_resumes(
    many: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    folder, expected = many
    arguments = [sys.executable, "-m", "cstalk_bridge", "render", str(folder), "-o", str(tmp_path)]
    arguments += ["--device", "cpu", "--engine", "ray", "--workers", "1"]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL)
    manifest = tmp_path / "render.jsonl"
    wait_until(lambda: manifest.exists() and b'"done"' in manifest.read_bytes(), 300.0)
    process.send_signal(signal.SIGINT)
    assert process.wait(60.0) == 130
    assert not list(tmp_path.glob(f".*{PARTIAL_SUFFIX}"))
    assert len(outputs(tmp_path)) < len(expected)
    again = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 1, again.stderr
    assert "already finished, 1 failed" in again.stdout
    assert outputs(tmp_path) == expected

"""Takes that cannot start, continue or be saved: errors are reported and data is preserved."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
import soundfile

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.takes.recording.folder import (
    END_BYTES,
    FIRST_S,
    RESERVE_BYTES,
    WARNING_S,
    FolderLock,
)
from tests.takes.recording.harness import RecorderHarness
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.takes.recording.open_take import RecordedTake


TIMEOUT_S = 10.0
SUBJECTS = ("Anna", "Ben")
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be removed")


def stop_fault(harness: RecorderHarness) -> str:
    with pytest.raises(UserError) as stopped:
        harness.recorder.stop()
    return str(stopped.value)


def begun(harness: RecorderHarness, ticks: int = 60) -> None:
    """Begin a take and wait until frames are on disk."""
    harness.step(20)
    harness.recorder.start("MySlate", 1)
    harness.step(ticks)
    take = harness.recorder.take
    assert take is not None
    wait_until(lambda: take.duration_s > 0)


def last(harness: RecorderHarness) -> RecordedTake:
    ended = harness.recorder.last
    assert ended is not None
    return ended


def check_readable(ended: RecordedTake) -> int:
    """Return how many frames can be read; sound and curves are whole and of one length."""
    document = json.loads((ended.folder / "take.json").read_text())
    for curves, sound in zip(ended.curves, ended.sounds, strict=True):
        text = curves.read_text()
        assert text.endswith("\n")
        assert text.count("\n") == document["frames"] + 1
        samples, rate_hz = soundfile.read(sound)
        assert len(samples) == round(document["frames"] / 60 * rate_hz)
    assert document["problem"]
    return int(document["frames"])


@needs_posix
def test_a_folder_removed_during_recording_is_reported_and_saved(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path / "takes", subjects=SUBJECTS)
    begun(harness)
    shutil.rmtree(tmp_path / "takes", ignore_errors=True)
    wait_until(lambda: harness.recorder.take is None)
    ended = last(harness)
    assert "its files were removed" in str(ended.problem)
    assert check_readable(ended) > 30
    assert "its files were removed" in stop_fault(harness)
    assert harness.recorder.stop() is None


@needs_posix
def test_one_removed_file_does_not_affect_the_others(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path, subjects=SUBJECTS)
    begun(harness)
    next(tmp_path.glob("*.recording/*_Ben.wav")).unlink()
    wait_until(lambda: harness.recorder.take is None)
    assert check_readable(last(harness)) > 30
    assert [path.name for path in tmp_path.iterdir()] == [last(harness).folder.name]


@needs_posix
def test_a_take_that_cannot_be_saved_is_reported_and_the_next_one_can_start(tmp_path: Path) -> None:
    folder, disk, other = (tmp_path / name for name in ("takes", "disk", "other"))
    disk.mkdir()
    folder.symlink_to(disk)
    harness = RecorderHarness(folder)
    begun(harness)
    other.write_text("in the way")
    # In one step, because the recorder checks meanwhile.
    other.replace(folder)
    wait_until(lambda: harness.recorder.take is None)
    assert "takes cannot be recorded here" in stop_fault(harness)
    with pytest.raises(UserError, match="takes cannot be recorded here"):
        harness.recorder.start("MySlate", 2)
    folder.unlink()
    begun(harness)
    harness.step()
    take = harness.recorder.stop()
    assert take is not None
    assert take.problem is None


def test_a_disk_that_fills_up_gives_a_warning_and_the_take_ends_readable(tmp_path: Path) -> None:
    free = 10**12
    harness = RecorderHarness(tmp_path, subjects=SUBJECTS, free=lambda _folder: free)
    warned: list[Problem] = []
    harness.recorder.watch(lambda _name: None, lambda _take: None, warned.append)
    begun(harness)
    assert warned == []
    free = END_BYTES + int(WARNING_S * 1000)
    wait_until(lambda: bool(warned))
    assert "space is left for" in warned[0].what
    free = END_BYTES - 1
    wait_until(lambda: harness.recorder.take is None)
    assert len(warned) == 1
    assert "less than 4 MiB are free" in stop_fault(harness)
    assert check_readable(last(harness)) > 30


def test_a_take_without_free_space_does_not_start(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path, free=lambda _folder: END_BYTES)
    with pytest.raises(UserError, match="are free, a take needs"):
        harness.recorder.start("MySlate", 1)
    assert harness.recorder.take is None
    assert list(tmp_path.iterdir()) == []
    assert FIRST_S > 0


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@needs_posix
def test_the_end_of_a_take_has_room_on_a_full_disk(tmp_path: Path) -> None:
    if not (sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mount")):
        pytest.skip("needs a small disk of its own")
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        harness = RecorderHarness(disk / "takes", subjects=SUBJECTS, free=lambda _folder: 10**12)
        begun(harness)
        fill(disk / "other")

        def step_or_end() -> bool:
            harness.step(5)
            return harness.recorder.take is None or harness.number >= 10_000

        wait_until(step_or_end, interval_s=0.001)
        ended = last(harness)
        assert "No space left" in stop_fault(harness)
        assert ended.folder.name == "20250228_MySlate_1"
        document = json.loads((ended.folder / "take.json").read_text())
        assert document["frames"] > 30
        assert ended.curves[0].read_text().count("\n") == document["frames"] + 1
        assert len((ended.folder / "take.json").read_bytes()) < RESERVE_BYTES
        (disk / "other").unlink()
        begun(harness)
        harness.step()
        assert harness.recorder.stop() is not None
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@needs_posix
@pytest.mark.parametrize("left", range(9))
def test_a_take_without_file_descriptors_is_refused_or_holds_all_it_needs(
    tmp_path: Path, left: int
) -> None:
    harness = RecorderHarness(tmp_path, subjects=SUBJECTS)
    harness.step(20)
    refused = ""
    with crowded(left):
        try:
            harness.recorder.start("MySlate", 1)
        except UserError as error:
            refused = str(error)
    if refused:
        assert "Too many open files" in refused
        assert harness.recorder.take is None
        assert list(tmp_path.iterdir()) == []
        return
    assert left > 5
    with crowded(0):
        harness.step(60)
        take = harness.recorder.stop()
    assert take is not None
    assert take.problem is None


def crowded(left: int) -> ExitStack:
    """Take all of the process's descriptors but some, until the context is left."""
    import resource

    crowd = ExitStack()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    crowd.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    taken = ExitStack()
    crowd.callback(taken.close)
    held: list[int] = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        for descriptor in held[:left]:
            os.close(descriptor)
        for descriptor in held[left:]:
            taken.callback(os.close, descriptor)
    return crowd


def test_an_internal_error_is_reported_and_the_take_is_kept(tmp_path: Path) -> None:
    harness = RecorderHarness(tmp_path)
    begun(harness)

    def failing(_host_s: float) -> None:
        raise RuntimeError("no sound today")

    take = harness.recorder.take
    assert take is not None
    object.__setattr__(take._files[0].subject, "position_at", failing)
    harness.step(30)
    wait_until(lambda: harness.recorder.take is None)
    assert "an internal error: RuntimeError: no sound today" in stop_fault(harness)
    assert last(harness).folder.is_dir()


@needs_posix
def test_takes_are_readable_by_their_user_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        harness = RecorderHarness(tmp_path / "takes", subjects=SUBJECTS)
        begun(harness, 20)
        recording = last_folder(tmp_path)
        modes = {path.stat().st_mode & 0o777 for path in recording.iterdir()}
        harness.step()
        take = harness.recorder.stop()
    finally:
        os.umask(before)
    assert take is not None
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in take.folder.iterdir()} == {0o600}
    assert take.folder.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "takes").stat().st_mode & 0o777 == 0o700


def last_folder(folder: Path) -> Path:
    (found,) = folder.glob("takes/*.recording")
    return found


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    with FolderLock(tmp_path), pytest.raises(BlockingIOError):
        FolderLock(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with FolderLock(tmp_path):
        pass

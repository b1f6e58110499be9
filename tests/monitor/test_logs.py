"""The log file: what is logged, rotation, and full disks."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.source import SourceState
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.monitor import logs
from cstalk_bridge.monitor.logs import BoundedQueueHandler, log_metrics, log_to
from tests.monitor.faces import metrics, play

ROOT = Path(__file__).parents[2]


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def log_events(name: str, count: int) -> None:
    for number in range(count):
        logging.getLogger("cstalk_bridge").info("%s %d", name, number)


def test_events_are_logged_one_line_each(tmp_path: Path) -> None:
    path, running = tmp_path / "show.log", metrics()
    with log_to(path, is_verbose=False):
        with log_metrics(running):
            now_s = play(running)
            running.notice(now_s, "the microphone is back", "CSTalk")
            running.subjects[0].set_input(SourceState.LOST, "USB Microphone")
        logging.getLogger("cstalk_bridge.audio").debug("of use to developers")
        logging.getLogger("cstalk_bridge.models").warning("two\nlines")
    logged_lines = lines(path)
    assert "cstalk-bridge" in logged_lines[0]
    assert any(line.endswith("CSTalk: the microphone is back") for line in logged_lines)
    assert any(
        " WARNING " in line
        and line.endswith("CSTalk: NO INPUT: USB Microphone is disconnected; plug it in again")
        for line in logged_lines
    )
    assert logged_lines[-1].endswith("models: two | lines")
    assert not any("developers" in line for line in logged_lines)


def test_an_internal_error_logs_its_traceback_on_one_line_and_the_run_continues(
    tmp_path: Path,
) -> None:
    path = tmp_path / "show.log"
    with pytest.raises(ZeroDivisionError), log_to(path, is_verbose=True):
        raise ZeroDivisionError("never")
    assert "Traceback" in lines(path)[-1]
    assert "ZeroDivisionError: never" in lines(path)[-1]
    problem = Problem("config.yaml:8:5", "it is wrong", "fix it")
    with pytest.raises(UserError), log_to(path, is_verbose=True):
        raise UserError(problem)
    assert "ERROR" in lines(path)[-1]
    assert lines(path)[-1].endswith(str(problem))


def test_without_a_log_file_nothing_is_logged_and_no_thread_runs() -> None:
    running = metrics()
    with log_to(None, is_verbose=False), log_metrics(running):
        assert not logging.getLogger("cstalk_bridge.monitor").isEnabledFor(logging.INFO)


def test_a_log_file_that_cannot_be_written_is_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "show.log"
    with (
        pytest.raises(UserError, match=r"show\.log.*a folder that exists"),
        log_to(path, is_verbose=False),
    ):
        pytest.fail("it was opened")


def test_a_full_log_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 2000)
    path = tmp_path / "show.log"
    with log_to(path, is_verbose=False):
        for number in range(200):
            logging.getLogger("cstalk_bridge").info("event %d of a long show", number)
    logged = sorted(tmp_path.iterdir())
    assert [file.name for file in logged] == ["show.log", *(f"show.log.{n}" for n in range(1, 5))]
    assert all(file.stat().st_size <= 2000 for file in logged)
    assert lines(path)[-1].endswith("event 199 of a long show")


@pytest.mark.skipif(sys.platform != "win32", reason="Windows' own: who reads a file keeps its name")
@pytest.mark.parametrize("read", ["show.log", "show.log.1"])
def test_a_log_file_open_in_another_program_is_rotated_without_losing_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 2000)
    monkeypatch.setattr(logs, "HELD_BYTES", 6000)
    path = tmp_path / "show.log"
    with log_to(path, is_verbose=False):
        log_events("before", 200)
    logged = {each.name: each.read_bytes() for each in tmp_path.glob("show.log.*")}
    with (tmp_path / read).open(), log_to(path, is_verbose=False):
        log_events("meanwhile", 40)
    assert {each.name: each.read_bytes() for each in tmp_path.glob("show.log.*")} == logged
    assert lines(path)[-1].endswith("meanwhile 39")
    with (tmp_path / read).open(), log_to(path, is_verbose=False):
        log_events("too long", 200)
    assert 6000 <= path.stat().st_size < 6100
    with log_to(path, is_verbose=False):
        log_events("after", 1)
    assert len(lines(path)) == 2, "the program's own line and one event"


def test_records_beyond_the_limit_are_counted_and_no_thread_waits() -> None:
    handler = BoundedQueueHandler()
    record = logging.LogRecord("cstalk_bridge", logging.INFO, __file__, 1, "event", (), None)
    for _ in range(logs.WAITING_RECORDS + 7):
        handler.handle(record)
    assert (handler.waiting.qsize(), handler.dropped) == (logs.WAITING_RECORDS, 7)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_does_not_end_the_run(tmp_path: Path) -> None:
    path = tmp_path / "show.log"
    path.symlink_to("/dev/full")
    code = (
        "import logging, pathlib, sys, time\n"
        "from cstalk_bridge.monitor.logs import log_to, lost_records\n"
        "with log_to(pathlib.Path(sys.argv[1]), is_verbose=False):\n"
        "    logging.getLogger('cstalk_bridge').info('event')\n"
        "    while lost_records() < 2:\n"
        "        time.sleep(0.01)\n"
        "print('went on')"
    )
    command = [sys.executable, "-c", code, str(path)]
    ended = subprocess.run(command, capture_output=True, cwd=ROOT, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "went on\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
def test_debug_records_are_not_written_into_the_dashboard() -> None:
    import pty

    leader, follower = pty.openpty()
    ended = subprocess.run(
        [sys.executable, "-m", "cstalk_bridge", "run", "--audio", "test", "--verbose"],
        stdout=follower,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        timeout=60,
    )
    os.close(leader)
    os.close(follower)
    assert ended.returncode == 2
    assert "add --log-file FILE, or --no-ui" in ended.stderr


def test_the_config_names_the_log_file_and_the_flag_goes_before_it(tmp_path: Path) -> None:
    sound = tmp_path / "short.wav"
    soundfile.write(sound, np.zeros(4800), 48_000)
    config = {
        "log_file": str(tmp_path / "config.log"),
        "subjects": [{"audio": {"input": str(sound)}, "links": ["osc://127.0.0.1:9"]}],
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    run = [sys.executable, "-m", "cstalk_bridge", "run", "--no-ui"]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
    written = (tmp_path / "config.log").read_text("utf-8")
    assert "cstalk_bridge.monitor.logs: cstalk-bridge 0." in written
    flag = ["--log-file", str(tmp_path / "flag.log")]
    subprocess.run([*run, *flag], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "flag.log").exists()
    assert (tmp_path / "config.log").read_text("utf-8") == written

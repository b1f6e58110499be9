"""The command as a user types it: codes, messages, and how soon it answers."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.cli.command import make_parser
from cstalk_bridge.models.errors import Problem, UserError, WeightsError
from cstalk_bridge.system.process import DONE, FAULT, INTERRUPTED, USER_ERROR, guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(
    *arguments: str, folder: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cstalk_bridge", *arguments],
        cwd=folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def imported_by(*arguments: str) -> set[str]:
    """Return the modules a command has imported when it is done."""
    code = (
        "import sys\n"
        "from cstalk_bridge.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('\\n' + ' '.join(sys.modules))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(process.stdout.splitlines()[-1].split())


def test_version_and_help_print_what_is_requested() -> None:
    assert command("--version").stdout.startswith("cstalk-bridge ")
    help_text = command("--help").stdout
    assert all(word in help_text for word in ("run", "devices", "rigmap", "bench"))


def test_run_help_names_every_flag_and_the_rule_for_subjects() -> None:
    text = command("run", "--help").stdout
    for flag in ("config", "audio", "link", "subject", "fps", "lookahead-ms", "emotion"):
        assert f"--{flag}" in text
    for flag in ("device", "weights", "no-ui"):
        assert f"--{flag}" in text
    assert "which --subject then renames" in text


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def test_every_help_text_is_a_complete_sentence() -> None:
    for parser in parsers(make_parser()):
        assert re.fullmatch(r"[A-Z].*\.", parser.description or ""), parser.prog
        for action in parser._actions:
            if not isinstance(action, argparse._SubParsersAction):
                assert re.fullmatch(r"[A-Z`].*\.", action.help or ""), (parser.prog, action.dest)


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (("--help",), {"torch", "rich", "sounddevice", "soundfile", "numpy", "pydantic", "yaml"}),
        (("run", "--help"), {"torch", "rich", "sounddevice", "soundfile", "numpy", "pydantic"}),
        (("devices",), {"torch", "rich", "soundfile", "pydantic"}),
        (("rigmap", "check", "metahuman"), {"torch", "rich", "sounddevice", "soundfile"}),
        (("rigmap", "show", "vrm"), {"torch", "rich", "sounddevice", "soundfile"}),
        (("run", "--fps", "61"), {"torch", "rich", "sounddevice", "soundfile"}),
    ],
)
def test_quick_commands_import_no_heavy_package(
    arguments: tuple[str, ...], heavy: set[str]
) -> None:
    assert not heavy & imported_by(*arguments)


def test_rigmap_check_reports_every_problem_and_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "hero.yaml").write_text("extends: metahuman\ncurvs: 1\n", encoding="utf-8")
    done = command("rigmap", "check", "hero.yaml", "none.yaml", folder=tmp_path)
    assert done.returncode == USER_ERROR
    assert "hero.yaml:2:1: unknown key `curvs`" in done.stderr
    assert "none.yaml: no such file" in done.stderr
    assert "Traceback" not in done.stderr


def test_rigmap_check_accepts_the_shipped_maps() -> None:
    done = command("rigmap", "check", "metahuman", "livelinkface61", "vrm")
    assert (done.returncode, done.stderr) == (DONE, "")


def test_what_the_encoding_of_a_pipe_lacks_is_escaped(tmp_path: Path) -> None:
    """As on Windows, where the code page of a pipe has the letters of a few languages only."""
    (tmp_path / "顔.yaml").write_text("extends: vrm\n", encoding="utf-8")
    done = command("rigmap", "check", "顔.yaml", folder=tmp_path, PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stdout) == (DONE, "\\u9854.yaml: no problems\n")


def test_rigmap_show_prints_a_line_per_curve() -> None:
    done = command("rigmap", "show", "vrm")
    assert done.returncode == DONE
    assert "jaw" in done.stdout


def test_a_closed_pipe_is_not_an_error() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cstalk_bridge", "rigmap", "show", "metahuman"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as stderr:
        assert stderr.read() == b""
    assert process.wait(60) == DONE


def test_invalid_run_arguments_are_all_reported_before_anything_is_opened(tmp_path: Path) -> None:
    done = command("run", "--fps", "61", "--link", "foo://x", folder=tmp_path)
    assert done.returncode == USER_ERROR
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["--fps", "--link"]


def test_an_unknown_command_exits_with_2() -> None:
    assert command("dance").returncode == USER_ERROR


def test_devices_works_with_and_without_a_microphone() -> None:
    done = command("devices")
    assert done.returncode in {DONE, USER_ERROR}
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError(Problem("a", "is bad", "fix it")), USER_ERROR, "a: is bad; fix it"),
        (WeightsError("no such file"), USER_ERROR, "no such file"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
        (RuntimeError("odd\nthing"), FAULT, "RuntimeError: odd thing"),
    ],
)
def test_errors_become_a_message_and_an_exit_code(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def action() -> int:
        raise error

    assert guarded(action) == code
    assert message in capsys.readouterr().err


def test_an_unexpected_error_is_shown_in_full_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSTALK_TRACEBACK", "1")

    def action() -> int:
        raise RuntimeError("odd")

    with pytest.raises(RuntimeError):
        guarded(action)

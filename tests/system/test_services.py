"""Recipes that start a bridge, read by what would read them where it is here."""

from __future__ import annotations

import configparser
import os
import plistlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from cstalk_bridge.system.services import (
    RECIPES,
    Service,
    launchd_agent,
    program,
    systemd_unit,
    windows_task,
)

ROOT = Path(__file__).parents[2]
FOLDER = Path("/show/a b 100% $HOME o'clock")
COMMAND = ("/opt/my bridge/cstalk-bridge", "run", "--config", str(FOLDER / 'a "b".yaml'))
AWKWARD = Service(COMMAND, FOLDER)


def test_every_system_has_a_recipe_of_this_installation() -> None:
    assert set(RECIPES) == {"systemd", "launchd", "windows"}
    first, *_ = program()
    assert Path(first).is_absolute()
    assert subprocess.run([*program(), "--version"], check=True, capture_output=True).stdout


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_verifies_the_unit(tmp_path: Path) -> None:
    folder = tmp_path / "a b 100% $HOME"
    folder.mkdir()
    unit = folder / "cstalk-bridge.service"
    command = shutil.which("true") or "/bin/true"
    unit.write_text(systemd_unit(Service((command, "run", "100% $HOME"), folder)), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_starts_the_command_again_but_for_a_mistake_in_the_config() -> None:
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string(systemd_unit(AWKWARD))
    section = parser["Service"]
    assert section["WorkingDirectory"] == str(FOLDER).replace("%", "%%")
    words = shlex.split(section["ExecStart"])
    assert [word.replace("%%", "%").replace("$$", "$") for word in words] == list(COMMAND)
    assert (section["Restart"], section["RestartPreventExitStatus"]) == ("always", "2")
    assert parser["Install"]["WantedBy"] == "default.target"


def test_the_agent_is_a_property_list() -> None:
    agent = plistlib.loads(launchd_agent(AWKWARD).encode())
    assert agent["ProgramArguments"] == list(COMMAND)
    assert agent["WorkingDirectory"] == str(FOLDER)
    assert agent["RunAtLoad"] is True
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["ProcessType"] == "Interactive"


def test_the_task_quotes_what_powershell_would_expand() -> None:
    lines = windows_task(AWKWARD).splitlines()
    script = "\n".join(line for line in lines if not line.startswith("#"))
    verbatim = [text.replace("''", "'") for text in re.findall(r"'((?:[^']|'')*)'", script)]
    assert COMMAND[0] in verbatim
    assert subprocess.list2cmdline(COMMAND[1:]) in verbatim
    assert str(FOLDER) in verbatim
    assert "-Priority 4 " in script
    assert "-ExecutionTimeLimit ([TimeSpan]::Zero)" in script


def test_the_task_is_ascii_whatever_the_code_pages_of_python_and_powershell() -> None:
    script = windows_task(Service((r"C:\Jörg's\cstalk-bridge.exe",), Path("/顔😀")))
    assert script.isascii()
    assert r"-Execute ('C:\J' + [char]0x00F6 + 'rg''s\cstalk-bridge.exe')" in script
    folder = "-WorkingDirectory ('/' + [char]0x9854 + [char]0xD83D + [char]0xDE00 + '')"
    assert folder.replace("/", str(Path("/"))) in script


def test_the_image_runs_what_its_documentation_says() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    words = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    last = {name: rest.strip() for name, _, rest in words}
    assert words[0][0] == "FROM"
    assert last["USER"] == "1000"
    assert last["ENTRYPOINT"] == '["cstalk-bridge"]'
    assert last["CMD"] == '["run", "--no-ui", "--health"]'
    assert "http://127.0.0.1:8530/health" in last["HEALTHCHECK"]


def test_a_config_with_mistakes_gets_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("fps: 61\n")
    done = subprocess.run(
        [*program(), "service", "systemd"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "config.yaml:1:" in done.stderr
    (tmp_path / "config.yaml").write_text("fps: 60\n")
    printed = subprocess.run(
        [*program(), "service", "launchd"], cwd=tmp_path, capture_output=True, check=True
    ).stdout
    assert plistlib.loads(printed)["ProgramArguments"][-2:] == ["run", "--no-ui"]

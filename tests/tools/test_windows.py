"""Windows' Python on Linux: the steps of the set-up, the copy of the checkout, and the summary."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tools.windows import differences
from tools.windows.steps import ROOT, Step, copy_checkout, set_up
from tools.windows.suite import read_results, summary
from tools.windows.wine import Wine

if TYPE_CHECKING:
    from pathlib import Path


def _note(made: list[str], name: str, _wine: Wine) -> None:
    made.append(name)


def test_a_set_up_continues_where_it_broke_off(tmp_path: Path) -> None:
    wine = Wine(tmp_path)
    made: list[str] = []

    def steps(second_key: str) -> list[Step]:
        keys = {"root": "trixie", "wheels": second_key, "program": "1"}
        return [Step(name, key, partial(_note, made, name)) for name, key in keys.items()]

    def break_off(_wine: Wine) -> None:
        raise subprocess.CalledProcessError(1, "pip")

    root, wheels, program = steps("1")
    with pytest.raises(subprocess.CalledProcessError):
        set_up(wine, [root, Step("wheels", "1", break_off), program])
    set_up(wine, [root, wheels, program])
    assert made == ["root", "wheels", "program"]
    set_up(wine, steps("1"))
    assert made == ["root", "wheels", "program"]
    set_up(wine, steps("2"))
    assert made[3:] == ["wheels", "program"], "what follows a changed step is done anew"


def test_the_copy_follows_the_checkout_and_keeps_bytecode(tmp_path: Path) -> None:
    copy_checkout(tmp_path)
    settings, stray = tmp_path / "setup.cfg", tmp_path / "bridge" / "removed" / "room.py"
    bytecode = tmp_path / "bridge" / "__pycache__" / "daemon.cpython-311.pyc"
    for path in (settings, stray, bytecode):
        path.parent.mkdir(exist_ok=True)
        path.write_text("changed", encoding="utf-8")
    copy_checkout(tmp_path)
    assert settings.read_bytes() == (ROOT / "setup.cfg").read_bytes()
    assert not stray.parent.exists()
    assert bytecode.exists()
    assert not (tmp_path / ".git").exists()


TESTS = """
import pytest

def test_passes(): pass

@pytest.mark.parametrize("n", [1, 2])
def test_fails(n): assert n == 0

@pytest.fixture
def broken(): raise OSError("no such device")

def test_needs(broken): pass

@pytest.mark.skip(reason="there is no GPU")
def test_skipped(): pass
"""


def test_results_tell_known_differences_from_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_some.py").write_text(TESTS, encoding="utf-8")
    report = tmp_path / "report.xml"
    (tmp_path / "pytest.ini").write_text("[pytest]", encoding="utf-8")
    program = (sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", "tests")
    subprocess.run(program, cwd=tmp_path)
    monkeypatch.setattr(
        differences, "DIFFERENCES", {"Wine lacks 2": ("tests/test_some.py::test_fails[2]",)}
    )
    results = read_results("tests", report)
    assert results.passed == 1
    assert results.failed == ["tests/test_some.py::test_fails[1]", "tests/test_some.py::test_needs"]
    assert results.known == {"tests/test_some.py::test_fails[2]": "Wine lacks 2"}
    assert results.skipped == {"tests/test_some.py::test_skipped": "there is no GPU"}
    text = summary([results, read_results("tests/rig", tmp_path / "none.xml")])
    assert "tests/rig  (broke off)" in text
    assert "failed: tests/test_some.py::test_fails[1]" in text
    assert "known: 1 x Wine lacks 2" in text
    assert "skipped: 1 x there is no GPU" in text

"""The tests in Windows' Python: one process for each folder of tests, and their summary."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tools.windows.differences import known_reason
from tools.windows.steps import PYTHON, ROOT, checkout_key, copy_checkout
from tools.windows.wine import windows_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tools.windows.wine import Wine

FOLDER_LIMIT_S = 3600
"""How long the tests of one folder may take; a test that hangs there would hang here."""

HANGING_S = 600
"""After this long in one test, pytest prints what each thread does."""


@dataclass(slots=True)
class Results:
    """What became of the tests of one folder."""

    folder: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    """Tests that failed, or whose set-up did, and that are not `known`."""
    known: dict[str, str] = field(default_factory=dict)
    """Tests that failed for a known difference between Wine and Windows, and the difference."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Tests that were skipped, and their reasons."""
    duration_s: float = 0
    is_cut: bool = False
    """Whether the folder took longer than `FOLDER_LIMIT_S`, or pytest itself broke off."""


def test_folders() -> list[str]:
    """Return the folders and files at the top of the tests, as pytest takes them."""
    folders = {path.relative_to(ROOT).parts[1] for path in (ROOT / "tests").rglob("test_*.py")}
    return [f"tests/{name}" for name in sorted(folders)]


def run_tests(wine: Wine, wanted: Sequence[str], options: Sequence[str]) -> Iterator[Results]:
    """Run the tests of each folder and yield their results.

    Without `wanted`, folders whose results for these files and options exist are not run again.
    """
    copy_checkout(wine.cache / "src")
    key = f"{checkout_key()} {' '.join(options)}"
    results = wine.cache / "results"
    results.mkdir(exist_ok=True)
    for folder in wanted or test_folders():
        report = results / f"{folder.replace('/', '.').rstrip('.')}.xml"
        mark = report.with_suffix(".key")
        is_done = report.exists() and mark.exists() and mark.read_text(encoding="utf-8") == key
        if wanted or not is_done:
            mark.unlink(missing_ok=True)
            report.unlink(missing_ok=True)
            _run_folder(wine, folder, report, options)
            mark.write_text(key, encoding="utf-8")
        yield read_results(folder, report)


def _run_folder(wine: Wine, folder: str, report: Path, options: Sequence[str]) -> None:
    path = windows_path("results", report.name)
    pytest = (PYTHON, "-m", "pytest", "-v", "-p", "no:cacheprovider", f"--junitxml={path}")
    hanging = f"faulthandler_timeout={HANGING_S}"
    command = wine.command(*pytest, "-o", hanging, *options, folder, folder="src")
    log = report.with_suffix(".txt")
    print(f"{folder}: {log}", flush=True)
    started_s = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            process.wait(FOLDER_LIMIT_S)
        except subprocess.TimeoutExpired:
            wine.end_all()
            process.kill()
    print(f"{folder}: {time.monotonic() - started_s:.0f} s", flush=True)


def read_results(folder: str, report: Path) -> Results:
    """Read pytest's JUnit report; results without tests if it is missing."""
    results = Results(folder)
    if not report.exists():
        results.is_cut = True
        return results
    suite = ET.parse(report).getroot()[0]  # noqa: S314 - pytest wrote it
    results.duration_s = float(suite.get("time", "0"))
    for case in suite.iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        if any(case.find(kind) is not None for kind in ("failure", "error")):
            reason = known_reason(name)
            if reason:
                results.known[name] = reason
            else:
                results.failed.append(name)
        elif (skipped := case.find("skipped")) is not None:
            results.skipped[name] = skipped.get("message", "")
        else:
            results.passed += 1
    return results


def summary(all_results: Sequence[Results]) -> str:
    """Return the counts of each folder, then each failure, and the reasons for the others."""
    lines = ["passed failed known skipped      s  folder"]
    for one in all_results:
        counts = f"{one.passed:6} {len(one.failed):6} {len(one.known):5} {len(one.skipped):7}"
        cut = "  (broke off)" if one.is_cut else ""
        lines.append(f"{counts} {one.duration_s:6.0f}  {one.folder}{cut}")
    lines += [
        f"{sum(r.passed for r in all_results):6} {sum(len(r.failed) for r in all_results):6} "
        f"{sum(len(r.known) for r in all_results):5} "
        f"{sum(len(r.skipped) for r in all_results):7} "
        f"{sum(r.duration_s for r in all_results):6.0f}  together"
    ]
    lines += [f"failed: {name}" for one in all_results for name in one.failed]
    known = Counter(reason for one in all_results for reason in one.known.values())
    lines += [f"known: {count} x {reason}" for reason, count in known.most_common()]
    skipped = Counter(reason for one in all_results for reason in one.skipped.values())
    lines += [f"skipped: {count} x {reason}" for reason, count in skipped.most_common()]
    return "\n".join(lines)

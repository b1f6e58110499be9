"""What all tests share: markers, limits of threads, and what may be skipped."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from cstalk_bridge.system.process import limit_math_threads
from tests.markers import is_slow_throughout, markers_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

limit_math_threads()

# On a busy machine an example may take long; that is no failure.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
settings.register_profile("quick", settings.get_profile("busy"), max_examples=20)


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples where only unit tests are asked for."""
    if config.option.markexpr == "unit":
        settings.load_profile("quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files without unit tests aside where only unit tests are asked for."""
    if config.option.markexpr != "unit" or not collection_path.is_relative_to(config.rootpath):
        return None
    path = collection_path.relative_to(config.rootpath).as_posix()
    return True if is_slow_throughout(path) else None


def pytest_collection_finish() -> None:
    """Keep what was collected out of the garbage collector's way."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test by what it uses."""
    for item in items:
        if isinstance(item, pytest.Function):
            for marker in markers_of(item):
                item.add_marker(marker)


NOT_ON_THE_CI_MACHINE = ("no CUDA GPU", "IPv6", "CAP_SYS_RESOURCE", "Windows' own")
"""Reasons for which a test may be skipped where CI is set: what no package can install."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test in CI: there, everything that can be installed is."""
    report = yield
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    is_allowed = any(known_reason in reason for known_reason in NOT_ON_THE_CI_MACHINE)
    if (
        os.environ.get("CI")
        and report.skipped
        and not hasattr(report, "wasxfail")
        and not is_allowed
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"
    return report

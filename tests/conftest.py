"""What all tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from cstalk_bridge.system.process import limit_math_threads

if TYPE_CHECKING:
    from collections.abc import Generator

limit_math_threads()

# On a busy machine an example may take long; that is no failure.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

NOT_ON_THE_CI_MACHINE = ("no CUDA GPU", "IPv6", "CAP_SYS_RESOURCE", "Windows' own")
"""Reasons for which a test may be skipped where CI is set: what no package can install."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test in CI: there, everything that can be installed is."""
    report = yield
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    is_allowed = any(words in reason for words in NOT_ON_THE_CI_MACHINE)
    if (
        os.environ.get("CI")
        and report.skipped
        and not hasattr(report, "wasxfail")
        and not is_allowed
    ):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"
    return report

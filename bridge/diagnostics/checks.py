"""Checks and their findings: run beside each other, bounded in time; a check that fails becomes
a finding.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class FindingState(Enum):
    """How bad a finding is; the worst comes last."""

    OK = "ok"
    WARNING = "warning"
    """The face moves, but not as well or as surely as it could."""
    FAULT = "fault"
    """The face does not move, or not there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined: where, what it is, and the remedy.

    An `OK` may have a remedy too: what to try where the face still does not move.
    """

    state: FindingState
    where: str
    what: str
    remedy: str = ""


def ok(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding(FindingState.OK, where, what, remedy)


def warning(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that may become a fault."""
    return Finding(FindingState.WARNING, where, what, remedy)


def fault(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that keeps a face from moving."""
    return Finding(FindingState.FAULT, where, what, remedy)


def faults_of(error: UserError, where: str = "") -> list[Finding]:
    """Return a fault for each problem of an error; `where` is that of a problem without one."""
    return [fault(each.where or where, each.what, each.remedy) for each in error.problems]


CHECK_TIMEOUT_S = 10.0
"""Default time limit of a check."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check, and the heading of its findings.

    `examine` runs in a thread of its own and may wait for files and networks; what it raises
    becomes a fault, as does not being done after `timeout_s`.
    """

    topic: str
    where: str
    examine: Callable[[], Iterable[Finding]]
    timeout_s: float = CHECK_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found."""

    topic: str
    findings: tuple[Finding, ...]


class _RunningCheck:
    """A check at work, in a thread of its own."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self._findings: tuple[Finding, ...] | None = None
        self._worker = Worker(check.where, self._run)
        self._worker.start()

    def _run(self) -> None:
        check = self.check
        try:
            self._findings = tuple(check.examine())
        except UserError as error:
            self._findings = tuple(faults_of(error, check.where))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other checks count
            message = " ".join(str(error).split())
            what = f"this check failed: {type(error).__name__}: {message}"
            remedy = "please report it; the other checks still count"
            self._findings = (fault(check.where, what, remedy),)

    def result(self, started_s: float) -> CheckResult:
        """Wait for the findings, no longer than the check may take."""
        left_s = started_s + self.check.timeout_s - time.monotonic()
        self._worker.join(max(0.0, left_s))
        if self._findings is None:
            what = f"no result within {self.check.timeout_s:g} s"
            remedy = "something there hangs: restart it, or this machine"
            return CheckResult(self.check.topic, (fault(self.check.where, what, remedy),))
        return CheckResult(self.check.topic, self._findings)


def run_checks(phases: Sequence[Sequence[Check]]) -> Iterator[CheckResult]:
    """Yield a result for each check, in their order.

    Checks of one phase run at once, phases one after another: what measures time has one alone.
    """
    for phase in phases:
        started_s = time.monotonic()
        running = [_RunningCheck(check) for check in phase]
        for each in running:
            yield each.result(started_s)

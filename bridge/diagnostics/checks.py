"""Checks and their findings: run beside each other, bounded in time; a check that fails becomes
a finding.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from cstalk_bridge.errors import UserError

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
    """Return a fault for each problem of an error; `where` stands for what a problem leaves out."""
    return [fault(each.where or where, each.what, each.remedy) for each in error.problems]


CHECK_TIMEOUT_S = 10.0
"""How long a check may take unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to examine, and the heading below which its findings stand.

    `examine` runs in a thread of its own and may wait for files and networks; what it raises
    becomes a fault, as does not being done after `patience_s`.
    """

    topic: str
    where: str
    examine: Callable[[], Iterable[Finding]]
    patience_s: float = CHECK_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found."""

    topic: str
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _RunningCheck:
    """A check at work."""

    check: Check
    found: tuple[Finding, ...] | None = None
    is_done: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        # A daemon: what hangs, such as a sound server that does not answer, ends with the program.
        threading.Thread(target=self._work, name=self.check.where, daemon=True).start()

    def _work(self) -> None:
        check = self.check
        try:
            self.found = tuple(check.examine())
        except UserError as error:
            self.found = tuple(faults_of(error, check.where))
        except Exception as error:  # noqa: BLE001 - whatever it is, the other checks count
            words = " ".join(str(error).split())
            what = f"this check broke: {type(error).__name__}: {words}"
            self.found = (fault(check.where, what, "please report it; the others still count"),)
        finally:
            self.is_done.set()

    def answer(self, started_s: float) -> CheckResult:
        """Wait for the findings, no longer than the check may take."""
        left_s = started_s + self.check.patience_s - time.monotonic()
        self.is_done.wait(max(0.0, left_s))
        if self.found is None:
            what = f"no answer within {self.check.patience_s:g} s"
            remedy = "something there hangs: restart it, or this machine"
            return CheckResult(self.check.topic, (fault(self.check.where, what, remedy),))
        return CheckResult(self.check.topic, self.found)


def run_checks(phases: Sequence[Sequence[Check]]) -> Iterator[CheckResult]:
    """Yield an answer for each check, in their order.

    Checks of one phase run at once, phases one after another: what measures time has one alone.
    """
    for phase in phases:
        working = [_RunningCheck(check) for check in phase]
        started_s = time.monotonic()
        for each in working:
            each.start()
        for each in working:
            yield each.answer(started_s)

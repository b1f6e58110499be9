"""What an examination finds: a state, what it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.errors import UserError


class State(Enum):
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

    state: State
    where: str
    what: str
    remedy: str = ""


def ok(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding(State.OK, where, what, remedy)


def warning(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that may become a fault."""
    return Finding(State.WARNING, where, what, remedy)


def fault(where: str, what: str, remedy: str = "") -> Finding:
    """Return a finding of something that keeps a face from moving."""
    return Finding(State.FAULT, where, what, remedy)


def faults_of(error: UserError, where: str = "") -> list[Finding]:
    """Return a fault for each problem of an error; `where` stands for what a problem leaves out."""
    return [fault(each.where or where, each.what, each.remedy) for each in error.problems]

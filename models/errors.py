"""Errors of two kinds, for users and for programs.

A user can mend a `UserError`: it names every problem with its place, the limit and the remedy, and
a command exits with 2. A program that calls a function wrongly, or reads malformed data, gets a
`ValueError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: its place, what it is (with the limit), and the remedy."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f"; {self.remedy}" if self.remedy else "")


class UserError(Exception):
    """Problems that the user can mend; a command prints them all and exits with 2."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @staticmethod
    def of(problems: Iterable[Problem]) -> UserError:
        """Return one error of problems found one by one."""
        return UserError(*problems)


class WeightsError(UserError, ValueError):
    """A weights file is missing, damaged or does not fit; the message names the remedy."""

    def __init__(self, message: str) -> None:
        super().__init__(Problem("", message))

"""What a request asks that cannot be done: problems in words, with a status of HTTP."""

from __future__ import annotations

from bridge.errors import Problem, UserError
from bridge.names import shown

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 400, 401, 403, 404
CONFLICT, TOO_LARGE, MISDIRECTED, TOO_MANY = 409, 413, 421, 429


class RefusalError(UserError):
    """A UserError whose answer has a status of its own; any other UserError has `BAD_REQUEST`."""

    def __init__(self, status: int, *problems: Problem) -> None:
        super().__init__(*problems)
        self.status = status


def refusal(status: int, where: str, what: str, remedy: str = "") -> RefusalError:
    """Return a refusal of one problem."""
    return RefusalError(status, Problem(where, what, remedy))


def as_document(error: UserError) -> dict[str, list[dict[str, str]]]:
    """Return the problems as they stand in an answer."""
    return {"problems": as_list(error.problems)}


def as_list(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    """Return the problems as plain mappings."""
    return [
        {"where": shown(p.where), "what": shown(p.what), "remedy": shown(p.remedy)}
        for p in problems
    ]

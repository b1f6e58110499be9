"""HTTP requests of the page: parameters and bodies within limits, and errors with their HTTP
status.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cstalk_bridge.document import validation_problems
from cstalk_bridge.face.emotion import EmotionWeights, VoicedEmotionWeights
from cstalk_bridge.face.procedural.compose import LEVEL_NAMES, Levels
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.settings.face import SubjectNumbers, TakeNumbers
from cstalk_bridge.settings.table import command_settings, page_settings, setting
from cstalk_bridge.system.files import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request


BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 400, 401, 403, 404
CONFLICT, TOO_LARGE, MISDIRECTED, TOO_MANY = 409, 413, 421, 429


class HttpError(UserError):
    """A UserError whose answer has a status of its own; any other UserError has `BAD_REQUEST`."""

    def __init__(self, status: int, *problems: Problem) -> None:
        super().__init__(*problems)
        self.status = status


def http_error(status: int, where: str, what: str, remedy: str = "") -> HttpError:
    """Return a refusal of one problem."""
    return HttpError(status, Problem(where, what, remedy))


def problems_document(error: UserError) -> dict[str, list[dict[str, str]]]:
    """Return the problems as they stand in an answer."""
    return {"problems": problems_list(error.problems)}


def problems_list(problems: tuple[Problem, ...]) -> list[dict[str, str]]:
    """Return the problems as plain mappings."""
    return [
        {"where": printable(p.where), "what": printable(p.what), "remedy": printable(p.remedy)}
        for p in problems
    ]


M = TypeVar("M", bound=BaseModel)

MAX_DOCUMENT_BYTES = 1 << 16
"""Size of a JSON document in a request."""

UPLOAD_TIMEOUT_S = 30.0
"""Time after which a silent upload is given up."""


class TakeRequest(TakeNumbers):
    """Request for a take, with a number for each of the page's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")

    recording: str = Field(max_length=64)
    emotion: VoicedEmotionWeights = Field(default_factory=dict)
    levels: Levels | None = None

    @property
    def numbers(self) -> dict[str, Any]:
        """The page's settings by name."""
        return self.model_dump(include={entry.name for entry in page_settings()})


class SubjectRequest(SubjectNumbers):
    """Change of a subject, with a number for each setting that a command changes.

    What is left out stays as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")

    emotion: EmotionWeights | None = None
    intensity: float | None = setting("intensity").field(default=None)
    levels: dict[str, float] = Field(default_factory=dict, max_length=len(LEVEL_NAMES))
    over_s: float | None = setting("over_s").field(default=None)

    @property
    def numbers(self) -> dict[str, Any]:
        """The settings that are given, by name."""
        names = {entry.name for entry in command_settings()}
        return self.model_dump(include=names, exclude_none=True)


async def read_body(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. HttpError where it stops to arrive."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(UPLOAD_TIMEOUT_S):
                chunk = await anext(chunks, None)
        except TimeoutError:
            what = f"nothing more has arrived for {UPLOAD_TIMEOUT_S:g} s"
            raise http_error(BAD_REQUEST, "request", what, "send it again") from None
        if chunk is None:
            return
        yield chunk


async def read_document(request: Request, model: type[M]) -> M:
    """Return the document that a request holds. HttpError with every problem."""
    text = bytearray()
    async for chunk in read_body(request):
        text += chunk
        if len(text) > MAX_DOCUMENT_BYTES:
            what = f"a document of more than {MAX_DOCUMENT_BYTES >> 10} KiB"
            raise http_error(TOO_LARGE, "request", what)
    try:
        return model.model_validate_json(bytes(text))
    except ValidationError as error:
        raise HttpError(BAD_REQUEST, *validation_problems(error, _location_text)) from None


def _location_text(location: Sequence[str | int]) -> str:
    return ".".join(str(step) for step in location if step != "[key]") or "request"


def read_number(request: Request, name: str) -> float:
    """Return a parameter that is a finite number. HttpError where it is none."""
    text = request.query_params.get(name, "")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not -1e9 < number < 1e9:
        raise http_error(BAD_REQUEST, name, f"a number is needed, found {text[:40]!r}")
    return number


def read_count(request: Request, name: str) -> int:
    """Return a parameter that is a whole number. HttpError where it is none."""
    number = read_number(request, name)
    if number != int(number):
        raise http_error(BAD_REQUEST, name, f"a whole number is needed, found {number:g}")
    return int(number)

"""What is read of requests: parameters and bodies, within limits, told in words where wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.document import FieldError
from bridge.errors import Problem
from bridge.face.alive.levels import Levels
from bridge.face.mix import HeardMix
from bridge.preview.refusal import BAD_REQUEST, TOO_LARGE, RefusalError, refusal
from models.emotions import MOUTH_GUARD
from models.timing import DEFAULT_LOOKAHEAD_MS, HOP_MS, MAX_LOOKAHEAD_MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

M = TypeVar("M", bound=BaseModel)

MAX_DOCUMENT_BYTES = 1 << 16
"""Size of a JSON document in a request."""

SILENCE_S = 30.0
"""Time after which an upload that says nothing more is given up."""


class TakeWish(BaseModel):
    """What a page asks of a take."""

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")

    recording: str = Field(max_length=64)
    emotion: HeardMix = Field(default_factory=dict)
    lookahead_ms: int = Field(
        default=DEFAULT_LOOKAHEAD_MS, ge=0, le=MAX_LOOKAHEAD_MS, multiple_of=HOP_MS
    )
    mouth_guard: float = Field(default=MOUTH_GUARD, ge=0.0, le=1.0, allow_inf_nan=False)
    levels: Levels | None = None


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. RefusalError where it stops to arrive."""
    chunks = request.stream()
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                chunk = await anext(chunks, None)
        except TimeoutError:
            what = f"nothing more has arrived for {SILENCE_S:g} s"
            raise refusal(BAD_REQUEST, "request", what, "send it again") from None
        if chunk is None:
            return
        yield chunk


async def document_of(request: Request, model: type[M]) -> M:
    """Return the document that a request holds. RefusalError with every problem."""
    text = bytearray()
    async for chunk in body_of(request):
        text += chunk
        if len(text) > MAX_DOCUMENT_BYTES:
            what = f"a document of more than {MAX_DOCUMENT_BYTES >> 10} KiB"
            raise refusal(TOO_LARGE, "request", what)
    try:
        return model.model_validate_json(bytes(text))
    except ValidationError as error:
        problems = []
        for details in error.errors(include_url=False):
            misfit = details.get("ctx", {}).get("error")
            where = ".".join(str(step) for step in details["loc"] if step != "[key]") or "request"
            if isinstance(misfit, FieldError):
                problems.append(Problem(where, misfit.what, misfit.remedy))
            else:
                problems.append(Problem(where, details["msg"].replace("Input should", "must")))
        raise RefusalError(BAD_REQUEST, *problems) from None


def number_of(request: Request, name: str) -> float:
    """Return a parameter that is a finite number. RefusalError where it is none."""
    text = request.query_params.get(name, "")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not -1e9 < number < 1e9:
        raise refusal(BAD_REQUEST, name, f"a number is needed, found {text[:40]!r}")
    return number


def count_of(request: Request, name: str) -> int:
    """Return a parameter that is a whole number. RefusalError where it is none."""
    number = number_of(request, name)
    if number != int(number):
        raise refusal(BAD_REQUEST, name, f"a whole number is needed, found {number:g}")
    return int(number)

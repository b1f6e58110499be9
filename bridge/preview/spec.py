"""Where the preview listens, and what it asks of those who come."""

from __future__ import annotations

import re
import secrets
from typing import Annotated

from pydantic import Field, ValidationError, field_validator

from bridge.document import FieldError
from bridge.errors import Problem, UserError
from bridge.listening import Place

DEFAULT_PORT = 8520

TOKEN = re.compile(r"[A-Za-z0-9_.~-]{8,128}")
"""What stands in a URL and in a cookie as it is."""

TOKEN_BYTES = 24
"""Randomness of a token of ours: 32 characters."""


class PreviewSpec(Place):
    """Where the preview listens.

    Whoever comes must show the `token`, where there is one; without it only this machine is let in
    (see `guarded`).
    """

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    token: str | None = None

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: str | None) -> str | None:
        if token is not None and not TOKEN.fullmatch(token):
            what = "the token must be 8 to 128 letters, digits or any of _ . ~ -"
            raise FieldError(what, "leave it out to get one")
        return token

    @classmethod
    def parse(cls, text: str, token: str | None = None) -> PreviewSpec:
        """Read `HOST:PORT`, `:PORT`, `HOST` or nothing at all. Raises UserError."""
        try:
            return cls.model_validate({**cls.parts(text), "token": token})
        except ValueError as error:
            raise UserError(*_problems(text, error)) from None

    def guarded(self) -> PreviewSpec:
        """Return this with a token wherever other machines can come."""
        if self.token or self.is_loopback:
            return self
        return self.model_copy(update={"token": secrets.token_urlsafe(TOKEN_BYTES)})


def _problems(text: str, error: ValueError) -> list[Problem]:
    if not isinstance(error, ValidationError):
        return [Problem("preview", str(error), PreviewSpec.remedy())]
    problems = []
    for details in error.errors(include_url=False):
        misfit = details.get("ctx", {}).get("error")
        if isinstance(misfit, FieldError):
            problems.append(Problem("preview", misfit.what, misfit.remedy))
        else:
            what = f"{text!r}: {details['msg'].replace('Input should be', 'it must be')}"
            problems.append(Problem("preview", what, PreviewSpec.remedy()))
    return problems

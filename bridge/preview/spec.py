"""Where the preview listens, and what it asks of those who come."""

from __future__ import annotations

import ipaddress
import re
import secrets
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.document import FieldError
from bridge.errors import Problem, UserError
from bridge.links.spec import HOST_NAME

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8520

TOKEN = re.compile(r"[A-Za-z0-9_.~-]{8,128}")
"""What stands in a URL and in a cookie as it is."""

TOKEN_BYTES = 24
"""Randomness of a token of ours: 32 characters."""

REMEDY = "write HOST, HOST:PORT or :PORT, such as 127.0.0.1:8520"


class PreviewSpec(BaseModel):
    """Where the preview listens; in a config this mapping, or `HOST:PORT`, `HOST` or `:PORT`.

    Port 0 takes a free one. Whoever comes must show the `token`, where there is one; without it
    only this machine is let in (see `guarded`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = DEFAULT_HOST
    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT
    token: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        return _parts(data) if isinstance(data, str) else data

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        is_name = HOST_NAME.fullmatch(host) and not re.fullmatch(r"[0-9.]+", host)
        if _address(host) is None and not is_name:
            raise FieldError(f"{host!r} is no host name and no IP address", REMEDY)
        return host

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
            return cls.model_validate({**_parts(text), "token": token})
        except ValueError as error:
            raise UserError(*_problems(text, error)) from None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can come."""
        address = _address(self.host)
        return self.host.lower() == "localhost" if address is None else address.is_loopback

    def guarded(self) -> PreviewSpec:
        """Return this with a token wherever other machines can come."""
        if self.token or self.is_loopback:
            return self
        return self.model_copy(update={"token": secrets.token_urlsafe(TOKEN_BYTES)})

    def __str__(self) -> str:
        return f"{url_host(self.host)}:{self.port}"


def url_host(host: str) -> str:
    """Return the host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _parts(text: str) -> dict[str, Any]:
    """Return host and port of the text as far as they are written; FieldError."""
    text = text.strip()
    if _address(text) is not None:
        return {"host": text}
    match = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?", text)
    if match is None:
        raise FieldError(f"{text!r} is no place to listen at", REMEDY)
    given = {"host": match[1] or match[2], "port": match[3]}
    return {key: value for key, value in given.items() if value}


def _problems(text: str, error: ValueError) -> list[Problem]:
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return [Problem("preview", str(error), REMEDY)]
    problems = []
    for details in error.errors(include_url=False):
        misfit = details.get("ctx", {}).get("error")
        if isinstance(misfit, FieldError):
            problems.append(Problem("preview", misfit.what, misfit.remedy))
        else:
            what = f"{text!r}: {details['msg'].replace('Input should be', 'it must be')}"
            problems.append(Problem("preview", what, REMEDY))
    return problems

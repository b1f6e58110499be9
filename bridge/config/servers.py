"""Configuration of the two servers of the bridge: OSC remote control and the web preview.

Each has an address to listen at; whoever comes from another machine must be allowed, or show a
token.
"""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from cstalk_bridge.document import FieldError
from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.settings.table import setting
from cstalk_bridge.system.addresses import MAX_ALLOWED, AllowedNetwork, ListenAddress, is_within

DEFAULT_CONTROL_PORT = 8000
"""Where controllers look for the app."""


class OscAddress(ListenAddress):
    """Where OSC messages are heard."""

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_CONTROL_PORT


def _read_osc(value: Any) -> Any:
    """Read `true` as the usual place and `false` as none."""
    if isinstance(value, bool):
        return {} if value else None
    return value


class ControlConfig(BaseModel):
    """Remote control: at `osc`, None for nowhere, for this machine and those in `allow`.

    A place that other machines can reach needs a list of those that may.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    osc: Annotated[OscAddress | None, BeforeValidator(_read_osc)] = setting("control.osc").field(
        default=None
    )
    allow: tuple[AllowedNetwork, ...] = setting("control.allow").field(max_length=MAX_ALLOWED)

    @model_validator(mode="after")
    def _is_guarded(self) -> ControlConfig:
        if self.osc is not None and not self.osc.is_loopback and not self.allow:
            what = f"{self.osc} can be reached from other machines, and `allow` names none"
            remedy = "list in control.allow, or with --osc-allow, who may control the bridge"
            raise FieldError(what, f"{remedy}, as 10.0.0.0/24")
        return self

    def is_allowed(self, host: str) -> bool:
        """Whether that IP address may control, and be answered."""
        return is_within(host, self.allow)


DEFAULT_PREVIEW_PORT = 8520

TOKEN = re.compile(r"[A-Za-z0-9_.~-]{8,128}")
"""What stands in a URL and in a cookie as it is."""

TOKEN_BYTES = 24
"""Randomness of a token of ours: 32 characters."""


class PreviewConfig(ListenAddress):
    """Where the preview listens.

    Whoever comes must show the `token`, where there is one; without it only this machine is let in
    (see `guarded`).
    """

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PREVIEW_PORT
    token: str | None = None

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: str | None) -> str | None:
        if token is not None and not TOKEN.fullmatch(token):
            what = "the token must be 8 to 128 letters, digits or any of _ . ~ -"
            raise FieldError(what, "leave it out to get one")
        return token

    @classmethod
    def parse(cls, text: str, token: str | None = None) -> PreviewConfig:
        """Read `HOST:PORT`, `:PORT`, `HOST` or nothing at all. Raises UserError."""
        try:
            return cls.model_validate({**cls.parts(text), "token": token})
        except ValueError as error:
            raise UserError(*_preview_problems(text, error)) from None

    def guarded(self) -> PreviewConfig:
        """Return this with a token wherever other machines can come."""
        if self.token or self.is_loopback:
            return self
        return self.model_copy(update={"token": secrets.token_urlsafe(TOKEN_BYTES)})


def _preview_problems(text: str, error: ValueError) -> list[Problem]:
    if not isinstance(error, ValidationError):
        return [Problem("preview", str(error), PreviewConfig.remedy())]
    problems = []
    for details in error.errors(include_url=False):
        misfit = details.get("ctx", {}).get("error")
        if isinstance(misfit, FieldError):
            problems.append(Problem("preview", misfit.what, misfit.remedy))
        else:
            what = f"{text!r}: {details['msg'].replace('Input should be', 'it must be')}"
            problems.append(Problem("preview", what, PreviewConfig.remedy()))
    return problems

"""Configuration of the two servers of the bridge: OSC remote control and the web preview.

Each listens at an address; other machines must be allowed, or send a token.
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

from cstalk_bridge.document import FieldError, validation_problems
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.settings.table import DEFAULT_CONTROL_PORT, DEFAULT_PREVIEW_PORT, setting
from cstalk_bridge.system.addresses import MAX_ALLOWED, AllowedNetwork, ListenAddress, is_within


class OscAddress(ListenAddress):
    """Address at which OSC messages are received."""

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_CONTROL_PORT


def read_address(value: Any) -> Any:
    """Read `true` as the default address and `false` as none."""
    if isinstance(value, bool):
        return {} if value else None
    return value


class ControlConfig(BaseModel):
    """Remote control at the address `osc`, None for none, by this machine and those in `allow`.

    An address that other machines can reach needs a list in `allow`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    osc: Annotated[OscAddress | None, BeforeValidator(read_address)] = setting("control.osc").field(
        default=None
    )
    allow: tuple[AllowedNetwork, ...] = setting("control.allow").field(max_length=MAX_ALLOWED)

    @model_validator(mode="after")
    def _is_guarded(self) -> ControlConfig:
        if self.osc is not None and not self.osc.is_loopback and not self.allow:
            what = f"{self.osc} can be reached from other machines, and `allow` is empty"
            remedy = "list who may control the bridge in control.allow or with --osc-allow"
            raise FieldError(what, f"{remedy}, such as 10.0.0.0/24")
        return self

    def is_allowed(self, host: str) -> bool:
        """Whether that IP address may control the bridge and receive replies."""
        return is_within(host, self.allow)


TOKEN = re.compile(r"[A-Za-z0-9_.~-]{8,128}")
"""Characters that need no quoting in a URL or a cookie."""

TOKEN_BYTES = 24
"""Random bytes of a generated token, which has 32 characters."""


class PreviewConfig(ListenAddress):
    """Address of the preview.

    A browser must send the `token`, if there is one; without it only this machine may connect (see
    `guarded`).
    """

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PREVIEW_PORT
    token: str | None = None

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: str | None) -> str | None:
        if token is not None and not TOKEN.fullmatch(token):
            what = "the token must be 8 to 128 letters, digits or any of _ . ~ -"
            raise FieldError(what, "leave it out to have one generated")
        return token

    @classmethod
    def parse(cls, text: str, token: str | None = None) -> PreviewConfig:
        """Read `HOST:PORT`, `:PORT`, `HOST` or nothing at all. Raises UserError."""
        try:
            return cls.model_validate({**cls.parts(text), "token": token})
        except ValidationError as error:
            problems = validation_problems(error, lambda _location: "preview", cls.remedy())
            raise UserError.of(problems) from None
        except FieldError as error:
            raise UserError(Problem("preview", error.what, error.remedy)) from None

    def guarded(self) -> PreviewConfig:
        """Return this with a token if other machines can connect."""
        if self.token or self.is_loopback:
            return self
        return self.model_copy(update={"token": secrets.token_urlsafe(TOKEN_BYTES)})

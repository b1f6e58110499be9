"""What the config says of remote control: where it listens, and to whom."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bridge.allowed import MAX_ALLOWED, Allowed, is_within
from bridge.document import FieldError
from bridge.listening import Place

DEFAULT_PORT = 8000
"""Where controllers look for the app."""


class OscPlace(Place):
    """Where OSC messages are heard."""

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_PORT


def _osc(value: Any) -> Any:
    """Read `true` as the usual place and `false` as none."""
    if isinstance(value, bool):
        return {} if value else None
    return value


class ControlSpec(BaseModel):
    """Remote control: at `osc`, None for nowhere, for this machine and those in `allow`.

    A place that other machines can reach needs a list of those that may.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    osc: Annotated[OscPlace | None, BeforeValidator(_osc)] = None
    allow: tuple[Allowed, ...] = Field(default=(), max_length=MAX_ALLOWED)

    @model_validator(mode="after")
    def _is_guarded(self) -> ControlSpec:
        if self.osc is not None and not self.osc.is_loopback and not self.allow:
            what = f"{self.osc} can be reached from other machines, and `allow` names none"
            remedy = "list in control.allow, or with --osc-allow, who may control the bridge"
            raise FieldError(what, f"{remedy}, as 10.0.0.0/24")
        return self

    def is_allowed(self, host: str) -> bool:
        """Whether that IP address may control, and be answered."""
        return is_within(host, self.allow)

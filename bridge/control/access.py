"""Address of remote control, and who may use it, as the config names them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cstalk_bridge.document import FieldError
from cstalk_bridge.settings.table import DEFAULT_CONTROL_PORT, setting
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

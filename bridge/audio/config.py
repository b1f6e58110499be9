"""Audio input configuration of a subject: the `audio` part of a subject in the config."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cstalk_bridge.audio.levels import ALL, Channel
from cstalk_bridge.document import FieldError
from cstalk_bridge.settings.table import setting


def _text_of_index(value: Any) -> Any:
    """Take a device index written as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


MAX_CHANNEL: Final = 256


def _channel(value: Any) -> Any:
    """Read a number of a channel, `all`, or nothing."""
    if value is None or value == ALL:
        return value
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if not is_number or not 1 <= number <= MAX_CHANNEL:
        what = f"{str(value)[:60]!r} is not a channel"
        raise FieldError(what, f"write a number from 1 to {MAX_CHANNEL}, or all")
    return number


class GateConfig(BaseModel):
    """Noise gate: it opens at `open_db`, closes below `close_db` (RMS dBFS) after `hold_ms`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = setting("audio.gate.enabled").field()
    open_db: float = setting("audio.gate.open_db").field()
    close_db: float = setting("audio.gate.close_db").field()
    hold_ms: float = setting("audio.gate.hold_ms").field()

    @model_validator(mode="after")
    def _has_hysteresis(self) -> GateConfig:
        if self.close_db > self.open_db:
            raise ValueError(
                f"close_db {self.close_db:g} is above open_db {self.open_db:g}; "
                "a gate closes at or below the level at which it opens"
            )
        return self


class AudioConfig(BaseModel):
    """Audio input of one subject.

    `input` is "mic" (the default microphone), a device by index, name or unambiguous part of its
    name, the path of an audio file, or "test". `channel` counts from 1; "all" mixes all channels,
    and so does None, but for those of a file that cancel each other or hold no voice, and for a
    device with more than two. `gain_db` is applied before the level meter and the gate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Annotated[str, BeforeValidator(_text_of_index)] = setting("audio.input").field(
        min_length=1, max_length=1024
    )
    channel: Annotated[Channel, BeforeValidator(_channel)] = setting("audio.channel").field()
    gain_db: float = setting("audio.gain_db").field()
    gate: GateConfig = Field(default_factory=GateConfig)

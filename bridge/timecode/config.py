"""Time of day configuration: the `timecode` part of the config."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cstalk_bridge.audio.config import AudioConfig
from cstalk_bridge.audio.source import MICROPHONE
from cstalk_bridge.timecode.chase import ChaseMode

MAX_OFFSET_MS = 1000.0
"""More than a second is no delay of a cable or a sound card."""


class TimecodeConfig(BaseModel):
    """`source` "system" is the system clock, "ltc" linear timecode in the sound of `audio`.

    `mode` "chase" follows it, "jam" takes its time once, "free" only compares with it. `offset_ms`
    is added to timecode: what its sound takes to get here. Gain and gate of `audio` do nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["system", "ltc"] = "system"
    mode: ChaseMode = ChaseMode.FREE
    audio: AudioConfig | None = None
    offset_ms: float = Field(default=0.0, ge=-MAX_OFFSET_MS, le=MAX_OFFSET_MS, allow_inf_nan=False)

    @model_validator(mode="after")
    def _has_audio(self) -> Self:
        heard = self.audio.input if self.audio else MICROPHONE
        if self.source == "ltc" and heard == MICROPHONE:
            raise ValueError(
                "timecode is not heard by the default microphone; "
                "name the device or file that carries it in audio.input"
            )
        return self

"""Time of day configuration: the `timecode` part of the config."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from cstalk_bridge.audio.config import AudioConfig
from cstalk_bridge.audio.source import MICROPHONE
from cstalk_bridge.settings.table import setting
from cstalk_bridge.timecode.chase import ChaseMode


class TimecodeConfig(BaseModel):
    """`source` "system" is the system clock, "ltc" linear timecode in the sound of `audio`.

    `mode` "chase" follows it, "jam" takes its time once, "free" only compares with it. `offset_ms`
    is added to timecode: what its sound takes to get here. Gain and gate of `audio` do nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["system", "ltc"] = setting("timecode.source").field()
    mode: ChaseMode = setting("timecode.mode").field(default=ChaseMode.FREE)
    audio: AudioConfig | None = setting("timecode.audio").field()
    offset_ms: float = setting("timecode.offset_ms").field()

    @model_validator(mode="after")
    def _has_audio(self) -> Self:
        chosen = self.audio.input if self.audio else MICROPHONE
        if self.source == "ltc" and chosen == MICROPHONE:
            raise ValueError(
                "timecode needs an input of its own, not the default microphone; "
                "name the device or file that carries it in audio.input"
            )
        return self

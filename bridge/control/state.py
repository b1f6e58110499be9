"""State of the bridge and of its subjects, and the OSC messages that report it.

/cstalk/record 1                    while a take is recorded

/cstalk/CSTalk/weight/happy 0.8     for each emotion; so for faders of a controller
/cstalk/CSTalk/link NAME SENT FAILED ERROR
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cstalk_bridge.control.commands import MAX_INT32, PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cstalk_bridge.audio.source import SourceState
    from cstalk_bridge.face.emotion import VoiceWeights
    from cstalk_bridge.face.procedural.compose import Levels

    OscWords = tuple[str, *tuple[str | int | float, ...]]
    """An address and its arguments."""


UNFIT_FOR_ADDRESS = re.compile(r"[^!-~]|[#*,/?\[\]{}]")
"""Characters that an OSC address may not hold."""

SILENT_DB = -120.0
"""Level reported of a subject without sound so far."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """Datagrams sent and failed since the start, and the last error, or ""."""

    name: str
    sent: int
    failed: int
    error: str


@dataclass(frozen=True, slots=True)
class SubjectState:
    """Settings of a subject, and the state of its audio input and links.

    `weights` are those of all emotions without `factor`, `level_db` is in dBFS, -inf for none.
    """

    name: str
    weights: Mapping[str, float]
    factor: float
    settings: Mapping[str, float]
    voice_weights: VoiceWeights
    levels: Levels
    gain_db: float
    is_muted: bool
    is_paused: bool
    lookahead_ms: int
    input_state: SourceState | None
    level_db: float
    links: tuple[LinkState, ...]

    def messages(self) -> Iterator[OscWords]:
        """Yield the messages that report it."""
        root = f"/{PREFIX}/{UNFIT_FOR_ADDRESS.sub('_', self.name)}"
        for emotion, weight in self.weights.items():
            yield f"{root}/weight/{emotion}", weight
        yield f"{root}/intensity", self.factor
        for name, value in self.settings.items():
            yield f"{root}/{name}", value
        yield f"{root}/auto", self.voice_weights.auto
        yield f"{root}/arousal", self.voice_weights.arousal
        for part, level in asdict(self.levels).items():
            yield f"{root}/level/{part}", float(level)
        yield f"{root}/gain", float(self.gain_db)
        yield f"{root}/mute", int(self.is_muted)
        yield f"{root}/pause", int(self.is_paused)
        yield f"{root}/lookahead", float(self.lookahead_ms)
        sound = self.input_state.value if self.input_state else "none"
        level_db = max(self.level_db, SILENT_DB) if math.isfinite(self.level_db) else SILENT_DB
        yield f"{root}/sound", sound, float(level_db)
        for link in self.links:
            counts = min(link.sent, MAX_INT32), min(link.failed, MAX_INT32)
            yield f"{root}/link", link.name, *counts, link.error


@dataclass(frozen=True, slots=True)
class BridgeState:
    """State of the whole bridge."""

    is_recording: bool
    subjects: tuple[SubjectState, ...]

    def messages(self) -> Iterator[OscWords]:
        """Yield the messages that report it."""
        yield record_message(is_on=self.is_recording)
        for subject in self.subjects:
            yield from subject.messages()


def record_message(*, is_on: bool) -> OscWords:
    """Return the message that reports whether a take is being recorded."""
    return f"/{PREFIX}/record", int(is_on)

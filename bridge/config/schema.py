"""The config: its keys, their limits and defaults.

The defaults are those of the `config.yaml` at the root of the project; there each key is
explained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from cstalk_bridge.audio.config import AudioConfig
from cstalk_bridge.config.servers import ControlConfig, PreviewConfig
from cstalk_bridge.document import FieldError
from cstalk_bridge.errors import UserError
from cstalk_bridge.face.emotion import MAX_TRANSITION_MS, TRANSITION_MS, VoicedEmotionWeights
from cstalk_bridge.face.emotion_trajectory import KeyframeList, read_emotions
from cstalk_bridge.face.performer import FallbackConfig
from cstalk_bridge.face.procedural.compose import (
    DEFAULT_LEVELS,
    NO_ANIMATION_LEVELS,
    Levels,
    read_levels,
)
from cstalk_bridge.models.emotions import MOUTH_GUARD
from cstalk_bridge.models.timing import DEFAULT_LOOKAHEAD_MS, HOP_MS, MAX_LOOKAHEAD_MS
from cstalk_bridge.outputs.link import subject_fault
from cstalk_bridge.outputs.parse import LinkValue, parse_link_url
from cstalk_bridge.timecode.config import TimecodeConfig
from cstalk_bridge.timecode.smpte import FRAME_RATES, FrameRate, parse_rate

MAX_SUBJECTS = 1024
"""Subjects of one bridge: a mistake in a list rather than a stage. What a machine can do is less;
`cstalk-bridge bench faces` tells."""

MAX_LINKS = 8
"""Links of one subject; each costs the tick thread its packets."""

DEFAULT_LINK = "livelink-face://127.0.0.1:11111"
"""Unreal on this machine, on the port at which its Live Link Face source listens."""

MAX_BUFFER_MS = 200
"""A longer buffer would hide a machine that is too slow, not help it."""

AUTO_BUFFER = "auto"
"""How a config asks for the buffer that is as long as rows have lately needed."""

BufferMs = Annotated[float, Field(ge=0.0, le=MAX_BUFFER_MS, allow_inf_nan=False)]

MAX_SEED = 2**32 - 1


def _frame_rate(value: Any) -> Any:
    if isinstance(value, FrameRate):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    name = f"{value:g}" if is_number else str(value)
    try:
        return parse_rate(name)
    except UserError as error:
        (problem,) = error.problems
        raise FieldError(problem.what, problem.remedy) from None


def _preview(value: Any) -> Any:
    """Read `true` as the usual place and `false` as none."""
    if isinstance(value, bool):
        return {} if value else None
    return value


def _buffer(value: Any) -> Any:
    """Read `auto` as no fixed buffer."""
    if isinstance(value, str) and value.strip().lower() == AUTO_BUFFER:
        return None
    return value


def _levels(value: Any) -> Any:
    """Read `true` as the usual levels, `false` as a face that does nothing by itself, and text."""
    if isinstance(value, bool):
        return DEFAULT_LEVELS if value else NO_ANIMATION_LEVELS
    return read_levels(value) if isinstance(value, str) else value


def _keys(value: Any) -> Any:
    """Read a path as the keys of that file."""
    if not isinstance(value, str):
        return value
    try:
        return read_emotions(Path(value)).keys
    except UserError as error:
        raise FieldError("; ".join(map(str, error.problems))) from None


def _subject_name(name: str) -> str:
    if fault := subject_fault(name):
        raise FieldError(fault, "write a name, such as CSTalk")
    return name


def _at_least_one(items: tuple[Any, ...]) -> tuple[Any, ...]:
    # Not `min_length`: that also complains of a list whose items are all wrong.
    if not items:
        raise FieldError("the list is empty", "name at least one, or leave the key out")
    return items


class SubjectConfig(BaseModel):
    """One character: its voice, its emotion, and where its face goes.

    In `emotion` its voice may have a say, by `auto` and `arousal`.
    `emotions` are keys of an emotion that changes by itself, from the start of the run on.
    `mouth_guard`, 0 to 1, is the share of the emotion's mouth which full speech pushes aside;
    `transition_ms` is the time over which a changed emotion is eased in. `alive` is how much its
    face does by itself, always the same for the same `seed`; None draws one from the name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_subject_name)] = "CSTalk"
    audio: AudioConfig = Field(default_factory=AudioConfig)
    emotion: VoicedEmotionWeights = Field(default_factory=dict)
    emotions: Annotated[KeyframeList, BeforeValidator(_keys)] = KeyframeList(())
    mouth_guard: float = Field(default=MOUTH_GUARD, ge=0.0, le=1.0, allow_inf_nan=False)
    transition_ms: float = Field(
        default=TRANSITION_MS, ge=0.0, le=MAX_TRANSITION_MS, allow_inf_nan=False
    )
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    alive: Annotated[Levels, BeforeValidator(_levels)] = DEFAULT_LEVELS
    rest: FallbackConfig = Field(default_factory=FallbackConfig)
    links: Annotated[tuple[LinkValue, ...], AfterValidator(_at_least_one)] = Field(
        default_factory=lambda: (parse_link_url(DEFAULT_LINK),), max_length=MAX_LINKS
    )


class RecordingConfig(BaseModel):
    """Takes are recorded below `folder`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Path("takes")


class Config(BaseModel):
    """One run of the bridge.

    `lookahead_ms` is a multiple of 20 from 0 to 240, `buffer_ms` from 0 to 200, None
    for an adaptive one. `weights` is the
    path of a weights file; None means the ones that came with the program. `preview` says where
    browsers find the faces; None means nowhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fps: Annotated[FrameRate, BeforeValidator(_frame_rate)] = FRAME_RATES["60"]
    device: Literal["auto", "cpu", "cuda"] = "auto"
    weights: Path | None = None
    lookahead_ms: int = Field(
        default=DEFAULT_LOOKAHEAD_MS, ge=0, le=MAX_LOOKAHEAD_MS, multiple_of=HOP_MS
    )
    buffer_ms: Annotated[BufferMs | None, BeforeValidator(_buffer)] = None
    dashboard: bool = True
    preview: Annotated[PreviewConfig | None, BeforeValidator(_preview)] = None
    timecode: TimecodeConfig = Field(default_factory=TimecodeConfig)
    recording: RecordingConfig = Field(default_factory=RecordingConfig)
    control: ControlConfig = Field(default_factory=ControlConfig)
    subjects: Annotated[tuple[SubjectConfig, ...], AfterValidator(_at_least_one)] = Field(
        default_factory=lambda: (SubjectConfig(),), max_length=MAX_SUBJECTS
    )

"""The models of the config. Ranges, defaults and texts of keys are in the table of settings.

Remote control and the preview each listen at an address. Beyond this machine, hosts must be listed
for one and send a token for the other.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from cstalk_bridge.audio.passthrough import PassthroughConfig
from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.control.access import ControlConfig, read_address
from cstalk_bridge.control.hotkeys import MAX_HOTKEYS, ActionText, Combination
from cstalk_bridge.document import FieldError, validation_problems
from cstalk_bridge.face.emotion import VoicedEmotionWeights
from cstalk_bridge.face.emotion_trajectory import KeyframeList, read_emotions
from cstalk_bridge.face.performer import FallbackConfig
from cstalk_bridge.face.procedural.animation import (
    DEFAULT_LEVELS,
    NO_ANIMATION_LEVELS,
    Levels,
    read_levels,
)
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import subject_fault
from cstalk_bridge.outputs.registry import LinkValue, parse_link_url
from cstalk_bridge.settings.face import FaceSettings
from cstalk_bridge.settings.table import DEFAULT_HEALTH_PORT, DEFAULT_PREVIEW_PORT, setting
from cstalk_bridge.system.addresses import ListenAddress
from cstalk_bridge.timecode.smpte import DEFAULT_RATE, FrameRate, parse_rate
from cstalk_bridge.timecode.time_of_day import TimecodeConfig

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


class HealthConfig(PreviewConfig):
    """Address of the health for machines; the token is as that of the preview."""

    port: Annotated[int, Field(ge=0, le=65535)] = DEFAULT_HEALTH_PORT


MAX_SUBJECTS = 1024
"""Subjects of one bridge; more are a mistake in a list. A machine can animate fewer, see
`cstalk-bridge bench faces`."""

MAX_LINKS = 8
"""Links of one subject; each adds packets to every tick."""

DEFAULT_LINK = "livelink-face://127.0.0.1:11111"
"""Unreal on this machine, on the port at which its Live Link Face source listens."""

AUTO_BUFFER: str = setting("buffer_ms").default
"""The buffer that adapts to the delays measured lately."""


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


def _buffer(value: Any) -> Any:
    """Read `auto` as None: no fixed buffer."""
    if isinstance(value, str) and value.strip().lower() == AUTO_BUFFER:
        return None
    return value


def _levels(value: Any) -> Any:
    """Read `true` as the default levels, `false` as the generated face alone, and text."""
    if isinstance(value, bool):
        return DEFAULT_LEVELS if value else NO_ANIMATION_LEVELS
    return read_levels(value) if isinstance(value, str) else value


def _keyframes(value: Any) -> Any:
    """Read a path as the keyframes of that file."""
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


class SubjectConfig(FaceSettings):
    """One character: its voice, its emotion, and the targets of its face.

    `emotion` may hold `auto` and `arousal`, by which the voice joins in. `emotions` are keyframes
    from the start of the run. `alive` holds the levels of procedural animation.
    """

    name: Annotated[str, AfterValidator(_subject_name)] = setting("name").field()
    audio: AudioConfig = setting("audio").field(default_factory=AudioConfig)
    passthrough: PassthroughConfig = setting("passthrough").field(default_factory=PassthroughConfig)
    emotion: VoicedEmotionWeights = setting("emotion").field(default_factory=dict)
    emotions: Annotated[KeyframeList, BeforeValidator(_keyframes)] = setting("emotions").field(
        default=KeyframeList(())
    )
    alive: Annotated[Levels, BeforeValidator(_levels)] = setting("alive").field(
        default=DEFAULT_LEVELS
    )
    rest: FallbackConfig = setting("rest").field(default_factory=FallbackConfig)
    links: Annotated[tuple[LinkValue, ...], AfterValidator(_at_least_one)] = setting("links").field(
        default_factory=lambda: (parse_link_url(DEFAULT_LINK),), max_length=MAX_LINKS
    )


class RecordingConfig(BaseModel):
    """Takes are recorded below `folder`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = setting("recording.folder").field(
        default=Path(setting("recording.folder").default)
    )


class Config(BaseModel):
    """One run of the bridge.

    `buffer_ms` is None for an adaptive buffer, `weights` for the ones that came with the program,
    `preview` for no preview, `health` for no server of its own, `log_file` for no log.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fps: Annotated[FrameRate, BeforeValidator(_frame_rate)] = setting("fps").field(
        default=DEFAULT_RATE
    )
    lookahead_ms: int = setting("lookahead_ms").field()
    device: Literal["auto", "cpu", "cuda"] = setting("device").field()
    weights: Path | None = setting("weights").field()
    buffer_ms: Annotated[float | None, BeforeValidator(_buffer)] = setting("buffer_ms").field(
        default=None
    )
    dashboard: bool = setting("dashboard").field()
    preview: Annotated[PreviewConfig | None, BeforeValidator(read_address)] = setting(
        "preview"
    ).field(default=None)
    health: Annotated[HealthConfig | None, BeforeValidator(read_address)] = setting("health").field(
        default=None
    )
    log_file: Path | None = setting("log_file").field()
    watch: bool = setting("watch").field()
    timecode: TimecodeConfig = setting("timecode").field(default_factory=TimecodeConfig)
    recording: RecordingConfig = setting("recording").field(default_factory=RecordingConfig)
    control: ControlConfig = setting("control").field(default_factory=ControlConfig)
    hotkeys: dict[Combination, ActionText] = setting("hotkeys").field(
        default_factory=dict, max_length=MAX_HOTKEYS
    )
    subjects: Annotated[tuple[SubjectConfig, ...], AfterValidator(_at_least_one)] = Field(
        default_factory=lambda: (SubjectConfig(),), max_length=MAX_SUBJECTS
    )

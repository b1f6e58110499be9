"""Audio sources: their configuration, their interface, and the units of audio, blocks and hops.

A source without a device delivers its blocks on an absolute schedule.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cstalk_bridge.audio.levels import ALL, Channel
from cstalk_bridge.document import FieldError
from cstalk_bridge.models import timing
from cstalk_bridge.settings.table import setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
    """Noise gate: it opens at `open_db`, closes below `close_db` (RMS dBFS) after `hold_ms`.

    With `voice` only speech that is so loud opens it and keeps it open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = setting("audio.gate.enabled").field()
    voice: bool = setting("audio.gate.voice").field()
    open_db: float = setting("audio.gate.open_db").field()
    close_db: float = setting("audio.gate.close_db").field()
    hold_ms: float = setting("audio.gate.hold_ms").field()
    near_db: float = setting("audio.gate.near_db").field()
    lead_ms: float = setting("audio.gate.lead_ms").field()

    @property
    def lead_s(self) -> float:
        """How much later than otherwise the face is shown, so that a voice is known in time."""
        return 1e-3 * self.lead_ms if self.enabled and self.voice else 0.0

    @model_validator(mode="after")
    def _has_hysteresis(self) -> GateConfig:
        if self.close_db > self.open_db:
            raise ValueError(
                f"close_db {self.close_db:g} is above open_db {self.open_db:g}; "
                "a gate closes at or below the level at which it opens"
            )
        return self


GATE_MODES: Final = {
    "off": {"enabled": False},
    "level": {"enabled": True, "voice": False},
    "voice": {"enabled": True, "voice": True},
}
"""What a gate in one word means."""


def _gate(value: Any) -> Any:
    """Read `voice` as `{enabled: true, voice: true}`, and the other modes likewise."""
    if value is False:
        value = "off"  # YAML reads `off` so
    if not isinstance(value, str):
        return value
    if value not in GATE_MODES:
        raise FieldError(f"{value[:60]!r} is no gate", f"write {', '.join(GATE_MODES)} or its keys")
    return GATE_MODES[value]


class AudioConfig(BaseModel):
    """Audio input of one subject.

    `input` is "mic" (the default microphone), a device by index, name or unambiguous part of its
    name, the path of an audio file, "test" or "claps". `channel` counts from 1; "all" mixes all
    channels, and so does None, but for those of a file that cancel each other or hold no voice, and
    for a device with more than two. `gain_db` is applied before the level meter and the gate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Annotated[str, BeforeValidator(_text_of_index)] = setting("audio.input").field(
        min_length=1, max_length=1024
    )
    channel: Annotated[Channel, BeforeValidator(_channel)] = setting("audio.channel").field()
    gain_db: float = setting("audio.gain_db").field()
    gate: Annotated[GateConfig, BeforeValidator(_gate)] = Field(default_factory=GateConfig)


BLOCK_S = 0.010
"""Length of a block: half a hop of 20 ms, and long enough for every driver."""

BLOCKS_PER_S = 100
"""The same as a whole number."""

BLOCKS_PER_HOP = 2
"""Blocks in the generator's hop of 20 ms."""


@dataclass(frozen=True, slots=True)
class Block:
    """10 ms of one channel of sound at the rate of its source.

    `samples` is float32 [frames], full scale -1..1. `captured_s` is the host time at which the
    first sample was recorded, `arrived_s` the host time at which the whole block reached us.
    """

    samples: NDArray[np.float32]
    captured_s: float
    arrived_s: float


HOP_RATE_HZ = timing.SAMPLE_RATE_HZ
"""Rate of every hop, whatever the source."""

HOP_S = timing.HOP_S
"""Length of a hop: the generator's step."""

HOP_SAMPLES = timing.HOP_SAMPLES
"""The same in samples."""


@dataclass(frozen=True, slots=True)
class Hop:
    """20 ms of sound, ready for the generator.

    `samples` is float32 [320] at 16 kHz, -1..1. `index` counts the hops since the start: the hop
    covers stream time `index` x 20 ms to (`index` + 1) x 20 ms. `arrived_s` is the host time at
    which the block arrived that completed it, `captured_s` the host time at which the sound of its
    first sample was recorded. `level_db` (RMS) and `peak_db` are dBFS after gain, before the gate.
    With `is_repeated` the hop came before as silence, and comes again with the sound that the gate
    held back.
    """

    samples: NDArray[np.float32]
    index: int
    arrived_s: float
    captured_s: float
    level_db: float
    peak_db: float
    gate_open: bool
    is_repeated: bool = False


TEST_SOUND = "test"
"""Input which means the built-in vowels."""

CLAPS = "claps"
"""Input which means a clap every two seconds, for the sync test."""


class SourceState(enum.Enum):
    """Whether blocks can be expected."""

    RUNNING = "running"
    ENDED = "ended"
    """The recording is over; no more blocks follow."""
    LOST = "lost"
    """The device is gone or delivers nothing; `reopen` may bring it back."""
    WAITING = "waiting"
    """The device could not be opened so far; `reopen` may do so."""

    @property
    def is_absent(self) -> bool:
        """Whether there is no device at present."""
        return self in {SourceState.LOST, SourceState.WAITING}


class Source(Protocol):
    """Audio in blocks of 10 ms, polled by one thread.

    A device sets the `wake` event that it was opened with whenever a block arrives. `start` and
    `poll` may be called by one thread only; `close` once that thread is done.
    """

    @property
    def name(self) -> str:
        """Name shown to the user: that of the device or the file."""

    @property
    def is_device(self) -> bool:
        """Whether it is a device, which can be unplugged."""

    @property
    def rate_hz(self) -> int:
        """Sample rate of every block, the same as long as the source exists.

        While the state is WAITING it is not known, and this is a guess.
        """

    @property
    def state(self) -> SourceState:
        """The state as of the last `poll`."""

    @property
    def fault(self) -> str:
        """Why a device is absent, in one line; empty while it is there."""

    @property
    def next_due_s(self) -> float | None:
        """Host time at which to poll at the latest, whether or not `wake` was set.

        For a scheduled source the time of its next block, for a device the time at which missing
        blocks will mean that it is lost. None when nothing more will happen by itself.
        """

    @property
    def dropped_blocks(self) -> int:
        """Blocks lost before they could be polled, since the start."""

    def start(self) -> None:
        """Start delivering; earlier audio is discarded."""

    def poll(self, now_s: float) -> list[Block]:
        """Return the available blocks, oldest first, at most a second of them; never waits."""

    def reopen(self) -> None:
        """Try to reopen a lost device, in the background and at most once a second.

        May be called at any rate while the device is absent; `poll` changes the state when it
        succeeded. Does nothing in any other state.
        """

    def close(self) -> None:
        """Release the device or file; harmless when done twice."""


MAX_BEHIND_BLOCKS = 1000
"""Blocks that a late reader still gets: ten seconds; beyond that the schedule is moved."""


class BlockSchedule:
    """The absolute schedule of blocks 0, 1, 2...: block k is due at start + (k + 1) x 10 ms.

    That is when a microphone would have delivered it. A late reader gets all that is due at once.
    After a pause beyond `MAX_BEHIND_BLOCKS` (a suspended machine) the schedule is moved so that no
    more than these are due: nothing is dropped, the rest comes later.
    """

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s
        self._next = 0

    @property
    def next_due_s(self) -> float:
        """Host time at which the next block is due that completes a hop: earlier is no use."""
        hops = self._next // BLOCKS_PER_HOP + 1
        return self._start_s + hops * BLOCKS_PER_HOP * BLOCK_S

    def captured_s(self, number: int) -> float:
        """Return the host time at which block `number` would have begun to be recorded."""
        return self._start_s + number * BLOCK_S

    def take(self, now_s: float) -> range:
        """Return the numbers of the blocks that became due."""
        due = int((now_s - self._start_s) / BLOCK_S + 1e-6) - self._next
        if due <= 0:
            return range(0)
        if due > MAX_BEHIND_BLOCKS:
            self._start_s += (due - MAX_BEHIND_BLOCKS) * BLOCK_S
            due = MAX_BEHIND_BLOCKS
        taken = range(self._next, self._next + due)
        self._next += due
        return taken

"""What every source of sound does."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bridge.audio.block import Block


MICROPHONE = "mic"
"""Input which means the system's default microphone."""

TEST_SOUND = "test"
"""Input which means the built-in vowels."""


class SourceState(enum.Enum):
    """Whether blocks can be expected."""

    RUNNING = "running"
    ENDED = "ended"
    """The recording is over; nothing will follow."""
    LOST = "lost"
    """The device is gone or silent for too long; `reopen` may bring it back."""


class Source(Protocol):
    """Sound in blocks of 10 ms, taken by one thread which polls.

    A device sets the `wake` event it was opened with whenever a block arrived. `start` and `poll`
    may be called by one thread only; `close` once that thread is done.
    """

    @property
    def name(self) -> str:
        """What is heard, in words for the user: the device, the file."""

    @property
    def is_device(self) -> bool:
        """Whether it is a device, which can be unplugged; a file cannot."""

    @property
    def rate_hz(self) -> int:
        """Samples a second of every block, the same for the life of the source."""

    @property
    def state(self) -> SourceState:
        """The state as of the last `poll`."""

    @property
    def next_due_s(self) -> float | None:
        """Host time at which to poll at the latest, whether or not `wake` was set.

        For a paced source the time of its next block, for a device the time at which its silence
        will mean that it is lost. None when nothing more will happen by itself.
        """

    @property
    def dropped_blocks(self) -> int:
        """Blocks lost before they could be polled, since the start."""

    def start(self) -> None:
        """Begin: what was heard before is not delivered."""

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks that are there, oldest first; never waits, never more than a second."""

    def reopen(self) -> None:
        """Try to bring a lost device back, in the background and at most once a second.

        Call it as often as wanted while the state is LOST; `poll` tells when it succeeded. Does
        nothing in any other state.
        """

    def close(self) -> None:
        """Release the device or file; harmless when done twice."""

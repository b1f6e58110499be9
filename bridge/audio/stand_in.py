"""The recording that plays where there is no microphone, until there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cstalk_bridge.audio.source import SourceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.audio.microphone import Microphone
    from cstalk_bridge.audio.source import Block, Source


SEARCH_S: Final = 5.0
"""Time between two attempts to find a microphone; none is missed, as the recording plays."""


class StandInSource:
    """Plays a recording until a microphone that is waited for is there and `may_join`.

    Its state is WAITING for one poll then, so that a new stream segment begins.
    """

    dropped_blocks = 0

    def __init__(
        self, recording: Source, microphone: Microphone, may_join: Callable[[], bool]
    ) -> None:
        self.state = SourceState.RUNNING
        self._recording = recording
        self._microphone = microphone
        self._may_join = may_join
        self._playing: Source = recording
        self._searched_s = 0.0

    @property
    def name(self) -> str:
        """The name of what is heard."""
        return self._playing.name

    @property
    def is_device(self) -> bool:
        """Whether the microphone is heard."""
        return self._playing.is_device

    @property
    def rate_hz(self) -> int:
        """Sample rate of what is heard."""
        return self._playing.rate_hz

    @property
    def fault(self) -> str:
        """Why the microphone is lost, once it was there."""
        return self._playing.fault if self._playing is self._microphone else ""

    @property
    def next_due_s(self) -> float | None:
        """Host time at which to poll at the latest."""
        return self._playing.next_due_s

    def start(self) -> None:
        """Start to play."""
        self._playing.start()

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks of the recording, or of the microphone once it is there."""
        microphone = self._microphone
        if self._playing is microphone:
            blocks = microphone.poll(now_s)
            self.state = microphone.state
            self.dropped_blocks = microphone.dropped_blocks
            return blocks
        if now_s - self._searched_s >= SEARCH_S:
            self._searched_s = now_s
            microphone.reopen()
        # A device whose blocks are left lying is full: what it holds is old.
        is_there = bool(microphone.poll(now_s)) and microphone.state is SourceState.RUNNING
        if is_there and self._may_join():
            self._playing = microphone
            self._recording.close()
            self.state = SourceState.WAITING
            return []
        return self._recording.poll(now_s)

    def reopen(self) -> None:
        """Try to open a microphone again that was there."""
        self._microphone.reopen()

    def close(self) -> None:
        """Close both."""
        self.state = SourceState.ENDED
        self._recording.close()
        self._microphone.close()

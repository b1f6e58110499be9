"""Links: what takes mapped frames from the tick thread, and the base of those over UDP.

Nothing but finite float32 ever leaves. Links never raise for network trouble.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.outputs.udp import Receiver, UdpTargets, UnresolvedTarget
    from cstalk_bridge.timecode.tick import Tick


if TYPE_CHECKING:
    Floats = NDArray[np.float32]


def as_float32(values: ArrayLike) -> NDArray[np.float32]:
    """Return the values as float32; what float32 cannot hold becomes infinite, silently."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values, dtype=np.float32)


def checked_float32(values: ArrayLike, count: int) -> NDArray[np.float32]:
    """Return `values` as float32 [count]; ValueError for another shape or what is not finite."""
    array = as_float32(values)
    if array.shape != (count,):
        raise ValueError(f"values of shape {array.shape}, not ({count},)")
    finite = np.isfinite(array)
    if not finite.all():
        index = int(np.argmin(finite))
        raise ValueError(f"value {index} of {count} is {array[index]}, not a finite float32")
    return array


def replace_nonfinite(
    values: ArrayLike, rest: NDArray[np.float32] | float = 0.0
) -> tuple[NDArray[np.float32], int]:
    """Return `values` as float32, at `rest` where they are not finite, and how many these were."""
    array = as_float32(values)
    finite = np.isfinite(array)
    if finite.all():
        return array, 0
    replaced = np.where(finite, array, np.float32(rest)).astype(np.float32)
    return replaced, int(array.size - np.count_nonzero(finite))


class Link(Protocol):
    """Where mapped frames go. Values are [outputs], in the order of the rig map's outputs."""

    name: str

    @property
    def sent(self) -> int:
        """Datagrams that left, of all targets."""

    @property
    def failed(self) -> int:
        """Datagrams that could not leave, of all targets."""

    @property
    def not_finite(self) -> int:
        """Values that were NaN, infinite or beyond float32, and left at rest."""

    @property
    def receivers(self) -> Sequence[Receiver | UnresolvedTarget]:
        """The targets with their own counters and last error."""

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Send one frame; call it every tick, silence or not. ValueError for another shape only."""

    def neutral(self, tick: Tick) -> None:
        """Send one frame of a face at rest."""

    def close(self) -> None:
        """Leave the face at rest, unless it is so already or none was ever sent; then close."""


class UdpLink:
    """What links over UDP share: finite values, the frame at rest, the counters.

    A link of a protocol says in `_encode` which datagrams carry a frame. `rest` is what its rig map
    makes of a face at rest, [outputs]; None is 0 everywhere. Any thread may set `is_streaming` and
    change the `targets`, while one sends.
    """

    def __init__(
        self, name: str, outputs: int, targets: UdpTargets, rest: NDArray[np.float32] | None = None
    ) -> None:
        self.name = name
        self.not_finite = 0
        self.targets = targets
        self.is_streaming = True
        self._rest = np.zeros(outputs, dtype=np.float32) if rest is None else rest
        self._last_tick: Tick | None = None
        self._is_at_rest = True
        self._is_closed = False

    @property
    def sent(self) -> int:
        """Datagrams that left."""
        return self.targets.sent

    @property
    def failed(self) -> int:
        """Datagrams the system refused."""
        return self.targets.failed

    @property
    def receivers(self) -> Sequence[Receiver | UnresolvedTarget]:
        """The targets with their counters."""
        return self.targets.receivers

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Send one frame; what is not finite leaves at rest and is counted.

        While it does not stream, targets get one frame at rest, then nothing. So do dropped ones.
        """
        is_streaming = self.is_streaming
        if self.targets.has_dropped:
            self.targets.dismiss(self._encode(self._rest, tick.frame, tick.subframe))
        if not is_streaming and self._is_at_rest:
            return
        finite, replaced = replace_nonfinite(values if is_streaming else self._rest, self._rest)
        datagrams = self._encode(finite, tick.frame, tick.subframe)
        self.not_finite += replaced
        self.targets.send(datagrams)
        self._last_tick = tick
        self._is_at_rest = not is_streaming

    def neutral(self, tick: Tick) -> None:
        """Send one frame of a face at rest."""
        self.send(self._rest, tick)
        self._is_at_rest = True

    def close(self) -> None:
        """Leave the face at rest, where it is not; then close."""
        if self._is_closed:
            return
        if self._last_tick is not None and not self._is_at_rest:
            last = self._last_tick
            self.targets.send(self._encode(self._rest, last.frame + 1, last.subframe))
        self._is_closed = True
        self.targets.close()

    def _encode(self, values: NDArray[np.float32], frame: int, subframe: float) -> list[bytes]:
        raise NotImplementedError

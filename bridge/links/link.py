"""Links: encoder and targets put together. They send; they never raise for network trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from bridge.links.livelink_face import MAX_FRAME, VALUE_COUNT, Encoder
from bridge.links.values import made_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bridge.clock.tick import Tick
    from bridge.links.osc_bundles import BundleTemplate
    from bridge.links.udp import Receiver, UdpTargets, Unfound


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
    def receivers(self) -> Sequence[Receiver | Unfound]:
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
    def receivers(self) -> Sequence[Receiver | Unfound]:
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
        finite, replaced = made_finite(values if is_streaming else self._rest, self._rest)
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


class LiveLinkFaceLink(UdpLink):
    """Live Link Face packets of one subject; values [61] in the packet's order.

    Frame numbers begin again at 0 after `MAX_FRAME`.
    """

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        targets: UdpTargets,
        rest: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(name, VALUE_COUNT, targets, rest)
        self._encoder = encoder

    @property
    def subject(self) -> str:
        """The subject's name in Unreal."""
        return self._encoder.subject

    def rename(self, subject: str) -> None:
        """Send under another subject name from the next frame on. ValueError where it is none."""
        self._encoder = self._encoder.renamed(subject)

    def _encode(self, values: NDArray[np.float32], frame: int, subframe: float) -> list[bytes]:
        return [self._encoder.encode(frame % (MAX_FRAME + 1), subframe, values)]


class OscLink(UdpLink):
    """OSC bundles with one float for each address of the template; the receiver's clock counts."""

    def __init__(
        self,
        name: str,
        template: BundleTemplate,
        targets: UdpTargets,
        rest: NDArray[np.float32] | None = None,
    ) -> None:
        super().__init__(name, len(template.addresses), targets, rest)
        self._template = template

    def _encode(self, values: NDArray[np.float32], _frame: int, _subframe: float) -> list[bytes]:
        return self._template.encode(values)

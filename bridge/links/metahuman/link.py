"""The link of one subject to a MetaHuman device: frames to whoever asked the device for them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import numpy as np

from bridge.links.livelink_face import MAX_FRAME
from bridge.links.metahuman.frame import CONTROLS, HEAD_POSE, REST, FrameEncoder
from bridge.links.target import Target
from bridge.links.udp import Receiver
from bridge.links.values import made_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.clock.tick import Tick
    from bridge.links.metahuman.device import Address, Feed

PLACES = {name: place for place, name in enumerate((*CONTROLS, *HEAD_POSE))}
"""Where each curve stands in [controls, head pose]."""


def outputs_fault(outputs: Sequence[str]) -> str | None:
    """Say what keeps a device from carrying these outputs of a rig map; None when it can."""
    if unknown := [name for name in outputs if name not in PLACES]:
        shown = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        return f"{len(unknown)} outputs are neither curves of a MetaHuman nor of its head: {shown}"
    if not set(CONTROLS) & set(outputs):
        return "no output is a curve of a MetaHuman"
    return None


class MetaHumanLink:
    """Frames of one subject; a `bridge.links.link.Link`.

    Its values are those of `outputs`: raw curves and, if the rig map has them, the head pose.
    Every curve is sent always; those which are no output rest. `rest` is what the rig map makes of
    a face at rest, [outputs]; None is the rest of each curve. `sent` counts datagrams: none before
    Unreal has asked for the subject. The sockets belong to the thread that sends. ValueError for
    outputs which cannot be carried (`outputs_fault`).
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        outputs: Sequence[str],
        rate: FrameRate,
        rest: NDArray[np.float32] | None = None,
    ) -> None:
        if fault := outputs_fault(outputs):
            raise ValueError(fault)
        self.name = name
        self.not_finite = 0
        self.receivers: tuple[Receiver, ...] = ()
        self._feed = feed
        self._encoder = FrameEncoder(feed.id, rate)
        self._places = np.array([PLACES[output] for output in outputs], dtype=np.intp)
        self._face = np.concatenate((REST, np.zeros(len(HEAD_POSE), dtype=np.float32)))
        self._rest = self._face[self._places] if rest is None else rest
        self._wanted: tuple[Address, ...] = ()
        self._gone = (0, 0)
        """Datagrams sent and failed to receivers that are no more."""
        self._last_tick: Tick | None = None
        self._is_at_rest = True
        self._is_closed = False

    @property
    def sent(self) -> int:
        """Datagrams that left, to all who asked."""
        return self._gone[0] + sum(receiver.sent for receiver in self.receivers)

    @property
    def failed(self) -> int:
        """Datagrams the system refused."""
        return self._gone[1] + sum(receiver.failed for receiver in self.receivers)

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Send one frame, [outputs]; never waits. ValueError for another shape only."""
        if values.shape != self._places.shape:
            raise ValueError(f"values of shape {values.shape}, not {self._places.shape}")
        finite, replaced = made_finite(values, self._rest)
        self.not_finite += replaced
        self._face[self._places] = finite
        self._send(tick.frame, tick.subframe)
        self._last_tick = tick
        self._is_at_rest = False

    def neutral(self, tick: Tick) -> None:
        """Send one frame of a face at rest."""
        self.send(self._rest, tick)
        self._is_at_rest = True

    def close(self) -> None:
        """Leave the face at rest, unless it is so already or none was ever sent; then close."""
        if self._is_closed:
            return
        if self._last_tick is not None and not self._is_at_rest:
            self._face[self._places] = self._rest
            self._send(self._last_tick.frame + 1, self._last_tick.subframe)
        self._is_closed = True
        self._serve(())

    def _send(self, frame: int, subframe: float) -> None:
        wanted = () if self._is_closed else self._feed.wanted
        if wanted is not self._wanted:
            self._serve(wanted)
        if not self.receivers:
            return
        count = len(CONTROLS)
        number = frame % (MAX_FRAME + 1)
        face = self._face
        datagram = self._encoder.encode(number, subframe, face[:count], face[count:])
        for receiver in self.receivers:
            receiver.send((datagram,))

    def _serve(self, wanted: tuple[Address, ...]) -> None:
        """Open a socket to each new address, and close those that nobody wants."""
        here = {receiver.address: receiver for receiver in self.receivers}
        sent, failed = self._gone
        for address in here.keys() - set(wanted):
            receiver = here.pop(address)
            receiver.socket.close()
            sent, failed = sent + receiver.sent, failed + receiver.failed
        for address in (address for address in wanted if address not in here):
            try:
                here[address] = _receiver(address)
            except OSError:
                failed += 1
        self.receivers, self._gone = tuple(here.values()), (sent, failed)
        self._wanted = wanted


def _receiver(address: Address) -> Receiver:
    host, port = address[:2]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.settimeout(0.0)
    return Receiver(Target(host=host, port=port), address, opened)

"""Links: what takes mapped frames from the tick thread, and the base of those over UDP.

Nothing but finite float32 ever leaves. Links never raise for network trouble.
"""

from __future__ import annotations

import platform
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cstalk_bridge.outputs.udp import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.outputs.udp import Receiver, Target, UdpTargets, UnresolvedTarget
    from cstalk_bridge.timecode.tick import Tick

    Floats = NDArray[np.float32]


MAX_FRAME = 2**31 - 1
"""The largest frame number an i32 holds: 414 days at 60 fps."""

LARGEST_SUBFRAME = float(np.nextafter(np.float32(1), np.float32(0)))
"""The largest float32 below 1: 0.99999999 would be rounded to 1."""

MAX_SUBJECT_BYTES = 256
"""Receivers refuse subject names of more characters; in bytes it is safe for every script."""

SUBJECTS = uuid.UUID("6c0f1a1e-6ad5-4be1-9a70-3a3ab7ae2e5f")
"""The name space of our device ids."""


def device_id(subject: str, host: str | None = None) -> str:
    """Return the upper-case UUID of that subject on that host (this one by default).

    It is the same at every start, and another for every subject: a receiver that sees one id under
    two names drops the earlier subject.
    """
    return str(uuid.uuid5(SUBJECTS, f"{host or platform.node()}\n{subject}")).upper()


def subject_fault(subject: str) -> str | None:
    """Return what keeps this from being a subject name; None when it is one."""
    if not subject.strip() or not subject.isprintable():
        return f"subject name {subject!r} is empty or holds characters that cannot be printed"
    size = len(subject.encode("utf-8"))
    if size > MAX_SUBJECT_BYTES:
        return f"subject name of {size} bytes in UTF-8, at most {MAX_SUBJECT_BYTES} are possible"
    return None


def check_frame_time(frame: int, subframe: float) -> None:
    """Raise ValueError for a frame beyond 0..`MAX_FRAME` or a subframe beyond 0..1."""
    if not 0 <= frame <= MAX_FRAME:
        raise ValueError(f"frame {frame} is not within 0..{MAX_FRAME}")
    if not 0.0 <= subframe < 1.0:
        raise ValueError(f"subframe {subframe} is not within 0..1")


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


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """What is known of the frames of a link, and advice: cause and remedy, empty if all is well."""

    delivery: Delivery
    advice: str = ""


DELIVERIES = tuple(Delivery)


def start_receiver(port: int) -> str:
    """Return the remedy where a protocol knows no better one."""
    return f"start the receiver, and set its port to {port}"


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
    def refused(self) -> int:
        """Answers that nobody listens, of all targets."""

    @property
    def not_finite(self) -> int:
        """Values that were NaN, infinite or beyond float32, and left at rest."""

    @property
    def receivers(self) -> Sequence[Receiver | UnresolvedTarget]:
        """The targets with their own counters and last error."""

    def status(self, now_s: float) -> LinkStatus:
        """Return what is known of its frames at a host time; for any thread."""

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Send one frame; call it every tick, silence or not. ValueError for another shape only."""

    def neutral(self, tick: Tick) -> None:
        """Send one frame of a face at rest."""

    def close(self) -> None:
        """Leave the face at rest, unless it is so already or none was ever sent; then close."""


class UdpLink:
    """Base of the links over UDP: finite values, the frame at rest, the counters.

    The link of a protocol returns in `_encode` the datagrams that carry a frame. `rest` is what its
    rig map makes of a face at rest, [outputs]; None is 0 everywhere. Any thread may set
    `is_streaming` and change the `targets`, while one sends. Frames are encoded only while there
    are targets. `receiver_remedy` returns how to start the receiver that is missing at a port.
    """

    def __init__(
        self, name: str, outputs: int, targets: UdpTargets, rest: NDArray[np.float32] | None = None
    ) -> None:
        self.name = name
        self.not_finite = 0
        self.targets = targets
        self.is_streaming = True
        self.receiver_remedy: Callable[[int], str] = start_receiver
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
    def refused(self) -> int:
        """Answers that nobody listens."""
        return self.targets.refused

    @property
    def receivers(self) -> Sequence[Receiver | UnresolvedTarget]:
        """The targets with their counters."""
        return self.targets.receivers

    def status(self, now_s: float) -> LinkStatus:
        """Return what is known of its frames: the worst of its targets."""
        if not self.is_streaming:
            return LinkStatus(Delivery.IDLE, "streaming was stopped by remote control; start it")
        receivers = self.receivers
        if not receivers:
            return self._status_without_receivers()
        states = [receiver.delivery(now_s) for receiver in receivers]
        worst = max(states, key=DELIVERIES.index)
        receiver = receivers[states.index(worst)]
        if worst is Delivery.NO_RECEIVER:
            return LinkStatus(worst, self._refusal(receiver))
        if worst is Delivery.NOT_SENT:
            return LinkStatus(worst, f"{receiver.last_error}; check the address and the network")
        return LinkStatus(worst)

    def _refusal(self, receiver: Receiver | UnresolvedTarget) -> str:
        if receiver.is_absent:
            return f"{receiver.target.host} does not answer; is it switched on and connected?"
        remedy = self.receiver_remedy(receiver.target.port)
        return f"nobody listens at {receiver.target}; {remedy}"

    def _status_without_receivers(self) -> LinkStatus:
        return LinkStatus(Delivery.NO_RECEIVER, "it has no target; set one by remote control")

    def send(self, values: NDArray[np.float32], tick: Tick) -> None:
        """Send one frame; what is not finite leaves at rest and is counted.

        While it does not stream, targets get one frame at rest, then nothing. So do dropped ones.
        """
        if values.shape != self._rest.shape:
            raise ValueError(f"values of shape {values.shape}, not {self._rest.shape}")
        is_streaming = self.is_streaming
        self._update_targets()
        if self.targets.has_dropped:
            self.targets.send_last(self._encode(self._rest, tick.frame, tick.subframe))
        if not is_streaming and self._is_at_rest:
            return
        finite, replaced = replace_nonfinite(values if is_streaming else self._rest, self._rest)
        self._deliver(finite, tick.frame, tick.subframe)
        self.not_finite += replaced
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
            self._update_targets()
            self._deliver(self._rest, self._last_tick.frame + 1, self._last_tick.subframe)
        self._is_closed = True
        self.targets.close()

    def hand_over(self, targets: Collection[Target]) -> None:
        """Leave these targets to another link, without a face at rest; for the sending thread."""
        self.targets.forget(targets)

    def _deliver(self, values: NDArray[np.float32], frame: int, subframe: float) -> None:
        if self.targets.receivers:
            self.targets.send(self._encode(values, frame, subframe))

    def _update_targets(self) -> None:
        """Add and remove targets before a frame, where a protocol lets receivers ask for it."""

    def _encode(self, values: NDArray[np.float32], frame: int, subframe: float) -> list[bytes]:
        raise NotImplementedError

"""What an output protocol is to the rest of the program: one object with everything about it.

The config, URLs, runs, `doctor` and `listen` ask the object of a protocol, and never its name. A
new output is one module with such an object, and one line in `registry`.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from cstalk_bridge.outputs.config import LinkConfig, ListeningConfig
from cstalk_bridge.outputs.udp import Target
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cstalk_bridge.outputs.link import Floats, Link
    from cstalk_bridge.outputs.stream_frame import StreamFrame
    from cstalk_bridge.timecode.smpte import FrameRate
    from cstalk_bridge.timecode.tick import Tick


LOOPBACK = "127.0.0.1"

RECEIVE_TIMEOUT_S = 2.0
"""How long a datagram may take within this machine."""

MAX_DATAGRAM_BYTES = 65536


class Take(Protocol):
    """A take that begins, or was recorded."""

    @property
    def identifier(self) -> str:
        """Its name."""


class EndedTake(Take, Protocol):
    """A take that has ended."""

    @property
    def problem(self) -> object | None:
        """Why it is not complete, None where it is."""


class Recorder(Protocol):
    """What records takes on request, as `cstalk_bridge.takes.recording.recorder.Recorder` does.

    Servers call it from one thread of theirs, which may wait for files.
    """

    @property
    def take(self) -> object | None:
        """The take that is being recorded; may be read from any thread."""

    def start(self, slate: str, number: int) -> object:
        """Begin a take. UserError where it cannot."""

    def stop(self) -> Take | None:
        """End the take and return it; None without one. UserError where it cannot."""

    def watch(self, began: Callable[[Take], None], ended: Callable[[EndedTake], None]) -> None:
        """Call back for every take, whoever asked for it, from any thread; neither may wait."""


class OutputServer(Protocol):
    """What the links of a listening protocol share in one run."""

    def start(self, notice: Callable[[str], None]) -> None:
        """Begin to serve; `notice` gets what users should know, from other threads."""

    def close(self) -> None:
        """End all sessions and close the ports; close the links before."""


@dataclass(frozen=True, slots=True)
class LinkSource:
    """The mapped face that a link sends.

    `outputs` are those of the rig map, in its order; `rest` is what the map makes of a face at
    rest, [outputs], None where that is 0 everywhere or the rest of each curve.
    """

    subject: str
    outputs: tuple[str, ...]
    rate: FrameRate
    rest: Floats | None = None


@dataclass(frozen=True, slots=True)
class SetupGuide:
    """How to set up the receiving program: steps for one target and the subjects sent there."""

    title: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoopbackFrame:
    """One frame that was sent to this machine: its datagrams, its values by name, how long."""

    datagrams: tuple[bytes, ...]
    values: dict[str, float]
    took_s: float


C = TypeVar("C", bound=LinkConfig)


class OutputProtocol(ABC, Generic[C]):
    """One output protocol. Its name is the scheme of its URLs, which `config` declares."""

    label: ClassVar[str]
    """How documentation of the receivers calls it."""

    config: type[C]
    """The links of this protocol: its options with their defaults, and its default rig map."""

    default_port: ClassVar[int]

    table: ClassVar[str | None] = None
    """The rig table whose curves are the values of every frame; None where a rig map chooses."""

    starts: ClassVar[tuple[bytes, ...]]
    """How its datagrams begin; `recognise` gets those alone."""

    tolerance: ClassVar[float] = 1e-6
    """How far a value may be off when it arrives; 1e-6 is that of a float32."""

    @property
    def name(self) -> str:
        """The scheme of its URLs."""
        return str(self.config.model_fields["protocol"].default)

    @property
    def listens(self) -> bool:
        """Whether receivers connect to this program, at the one target of a link."""
        return issubclass(self.config, ListeningConfig)

    def serve(self, recorder: Recorder | None) -> OutputServer | None:
        """Return what the links of one run share; None where they share nothing."""
        return None

    @abstractmethod
    def open(self, config: C, source: LinkSource, server: OutputServer | None = None) -> Link:
        """Open a link. UserError for a subject name, outputs or targets that do not fit it.

        `server` is what `serve` returned for this run.
        """

    @abstractmethod
    def loop_back(self, config: C, source: LinkSource, values: Floats, tick: Tick) -> LoopbackFrame:
        """Send one frame to this machine and decode it again.

        UserError where the link cannot be opened, OSError where nothing arrives, ValueError where
        what arrives is not a frame of this protocol.
        """

    def expected(self, config: C, source: LinkSource, values: Floats) -> dict[str, float]:
        """Return the values by the names which the receiver of a link sees."""
        return dict(zip(source.outputs, values.tolist(), strict=True))

    @abstractmethod
    def recognise(self, datagram: bytes) -> list[StreamFrame]:
        """Return a frame for each stream of this protocol in a datagram.

        ValueError, in words for the user, where it is damaged. Never raises anything else, whatever
        the bytes.
        """

    @abstractmethod
    def guide(
        self, config: C, target: Target, subjects: Sequence[str], addresses: Sequence[str]
    ) -> SetupGuide:
        """Return how to set up the receiver at a target; `addresses` are this machine's."""

    def receiver_remedy(self, port: int) -> str:
        """Return how to start the receiver that is missing at that port."""
        return f"start what receives {self.label}, and set its port to {port}"

    def address_space(self, config: C) -> str | None:
        """Return what two links to one target may not share; None where frames name subjects."""
        return None

    def sharing_remedy(self, target: Target, subject: str) -> str:
        """Return how to separate two subjects at one target that share an address space."""
        return "give each subject a port of its own"


class UdpProtocol(OutputProtocol[C]):
    """A protocol that sends datagrams to its targets."""

    @abstractmethod
    def decode(
        self, config: C, source: LinkSource, frame: int, datagrams: Sequence[bytes]
    ) -> dict[str, float]:
        """Return the values by name in the datagrams of one frame. ValueError: they are not it."""

    def loop_back(self, config: C, source: LinkSource, values: Floats, tick: Tick) -> LoopbackFrame:
        """Send one frame over UDP to a free port of this machine and decode it again."""
        with ExitStack() as closing:
            receiver = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            receiver.bind((LOOPBACK, 0))
            receiver.settimeout(RECEIVE_TIMEOUT_S)
            here = Target(host=LOOPBACK, port=receiver.getsockname()[1])
            link = self.open(config.model_copy(update={"targets": (here,)}), source)
            closing.callback(link.close)
            start_s = host_now()
            link.send(values, tick)
            datagrams = tuple(receiver.recv(MAX_DATAGRAM_BYTES) for _ in range(link.sent))
            took_s = host_now() - start_s
        if not datagrams:
            raise TimeoutError("no datagram could be sent")
        return LoopbackFrame(datagrams, self.decode(config, source, tick.frame, datagrams), took_s)

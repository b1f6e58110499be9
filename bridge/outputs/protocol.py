"""The interface of an output protocol: the configuration of its links, the frames that it decodes,
and the protocol object.

Each protocol derives its configuration from `LinkConfig`, or from `ListeningConfig` where receivers
connect to the bridge; `registry` reads it from URLs and from a config file.

The config, URLs, runs, `doctor` and `listen` use the object of a protocol, and never its name. A
new output is one module with such an object, and one line in `registry`.
"""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cstalk_bridge.document import FieldError
from cstalk_bridge.outputs.udp import MAX_TARGETS, Target
from cstalk_bridge.system.addresses import MAX_ALLOWED, AllowedNetwork, is_loopback
from cstalk_bridge.timecode.smpte import FrameRate, Timecode
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Self

    from numpy.typing import NDArray

    from cstalk_bridge.outputs.link import Floats, Link
    from cstalk_bridge.timecode.tick import Tick


RigMapName = Annotated[str, Field(min_length=1, description="a name or path")]
"""A shipped rig map by its name, or the path of a file."""


class LinkConfig(BaseModel):
    """Where the mapped frames of a subject are sent.

    Each field that a protocol adds is an option of it: a key in a config file, and a parameter
    after the `?` of a URL. Its annotation gives the allowed values, or its description states what
    they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path_option: ClassVar[str] = ""
    """The option that the path of a URL sets; empty where a URL may have none."""

    protocol: str
    targets: tuple[Target, ...] = Field(min_length=1, max_length=MAX_TARGETS)
    rigmap: RigMapName

    @model_validator(mode="after")
    def _targets_differ(self) -> Self:
        if fault := repetition_fault(self.targets):
            raise ValueError(fault)
        return self

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return the parameters that a URL may have after its `?`."""
        others = {"protocol", "targets", "takes_next_port", cls.path_option}
        return tuple(name for name in cls.model_fields if name not in others)

    def __str__(self) -> str:
        return f"{self.protocol}://{','.join(map(str, self.targets))}"


def _split(value: Any) -> Any:
    """Read `a,b` as a list."""
    return value.split(",") if isinstance(value, str) else value


class ListeningConfig(LinkConfig):
    """A link whose one target is the address at which this program listens.

    This machine and those of `allow` may connect; where other machines can reach the address,
    `allow` must name some. `takes_next_port`: no port was given, so where the default one is
    another link's, the next free one is taken.
    """

    allow: Annotated[tuple[AllowedNetwork, ...], BeforeValidator(_split)] = Field(
        default=(),
        max_length=MAX_ALLOWED,
        description="a list of IP addresses and networks, as 10.0.0.5,192.168.1.0/24",
    )
    takes_next_port: bool = Field(default=False, repr=False)

    @model_validator(mode="after")
    def _is_guarded(self) -> Self:
        if len(self.targets) > 1:
            raise ValueError(f"{self.protocol} names the one address at which it listens")
        (target,) = self.targets
        if not is_loopback(target.host) and not self.allow:
            what = f"{target} can be reached from other machines, and `allow` names none"
            remedy = "name those that may get faces and record, as allow=10.0.0.5 or 10.0.0.0/24"
            raise FieldError(what, remedy)
        return self


def repetition_fault(targets: Sequence[Target]) -> str | None:
    """Return which targets are named more than once; None where all differ."""
    repeated = {str(target) for target in targets if targets.count(target) > 1}
    return f"target named twice: {', '.join(sorted(repeated))}" if repeated else None


def listening(links: Iterable[LinkConfig]) -> list[ListeningConfig]:
    """Return the links at whose address this program listens."""
    return [link for link in links if isinstance(link, ListeningConfig)]


MAX_NAME_CHARACTERS = 64
"""Longer names of subjects and curves are cut: they are there to be read in a line."""

MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 1000.0
"""Frame rates of cameras and phones, and then some; beyond them a frame number gives no time."""


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame is to be shown: a frame number, not wrapped at 24 h, and its rate."""

    frame: int
    subframe: float
    numerator: int
    denominator: int

    @property
    def rate_hz(self) -> float:
        """Frames per second."""
        return self.numerator / self.denominator

    @property
    def position(self) -> float:
        """Frames since midnight, with the subframe."""
        return self.frame + self.subframe

    @property
    def seconds(self) -> float:
        """Seconds since midnight."""
        return self.position * self.denominator / self.numerator

    @property
    def is_usable(self) -> bool:
        """Whether the rate is one at which faces are sent."""
        return MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ

    @property
    def label(self) -> str:
        """`hh:mm:ss:ff` without drop-frame, which packets do not carry."""
        return Timecode(FrameRate("", self.numerator, self.denominator), self.frame).label


@dataclass(frozen=True, slots=True, eq=False)
class StreamFrame:
    """The part of a datagram that belongs to one stream.

    `subject` and `device` are empty where the protocol has none. `frames` is how many frames it
    ends; None where a protocol marks no end, so that a frame is over when a curve comes again.
    With a `time` the datagram is a whole frame. `note` is what a user should know of it.
    """

    protocol: str
    subject: str
    device: str = ""
    curves: dict[str, float] = field(default_factory=dict)
    time: FrameTime | None = None
    frames: int | None = None
    note: str = ""


def timed_frame(
    protocol: str,
    subject: str,
    time: FrameTime,
    curves: dict[str, float],
    *,
    device: str = "",
    note: str = "",
) -> StreamFrame:
    """Return the frame of a datagram that is a whole frame; an unusable rate becomes a note."""
    if not time.is_usable:
        note = f"frame rate {time.numerator}/{time.denominator}"
    known = time if time.is_usable else None
    return StreamFrame(protocol, readable(subject), readable(device), curves, known, 1, note)


def by_name(names: tuple[str, ...], values: NDArray[Any]) -> dict[str, float]:
    """Return the values by their names; ValueError for another count."""
    return dict(zip(names, values.tolist(), strict=True))


def readable(text: str) -> str:
    """Return the text in a form that harms no terminal: printable, in one line, not too long."""
    cut = text[:MAX_NAME_CHARACTERS]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)


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

        ValueError, with a message for the user, where it is damaged. Raises nothing else, whatever
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

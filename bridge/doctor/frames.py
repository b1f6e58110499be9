"""A frame of every link, sent by the link's own code to ourselves and read again."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from bridge.clock.host import host_now
from bridge.clock.tick import Tick
from bridge.doctor.finding import Finding, fault, ok
from bridge.errors import UserError
from bridge.links import livelink_face, osc
from bridge.links.opening import open_link
from bridge.links.target import Target
from bridge.links.vmc import APPLY, SHAPE, shape_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.links.spec import LinkSpec
    from bridge.rig.rigmap import RigMap

PATIENCE_S = 2.0
"""How long a datagram may take within this machine."""

MAX_DATAGRAM_BYTES = 65536
LOOPBACK = "127.0.0.1"

FRAME = 5_375_735
"""The number of the frame that is sent: of a late evening at 60 fps."""

TOLERANCE = 1e-6
"""Values are float32 on the way, and nothing else."""


def examine_frame(
    link: LinkSpec, subject: str, rigmap: RigMap, rate: FrameRate
) -> Iterator[Finding]:
    """Send one frame of a UDP link to ourselves, with values for all outputs of its rig map."""
    where = f"{subject} {link.protocol}"
    values = sample(rigmap)
    with ExitStack() as closing:
        ear = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        ear.bind((LOOPBACK, 0))
        ourselves = Target(host=LOOPBACK, port=ear.getsockname()[1])
        aimed = link.model_copy(update={"targets": (ourselves,)})
        try:
            opened = open_link(aimed, subject, rigmap.outputs, rate)
        except UserError as error:
            yield from misfits(error, f"{subject} {link}")
            return
        closing.callback(opened.close)
        start_s = host_now()
        opened.send(values, Tick(0, start_s, FRAME))
        datagrams = _received(ear, opened.sent)
        took_ms = 1e3 * (host_now() - start_s)
    if not datagrams:
        what = "a frame sent within this machine did not arrive"
        yield fault(where, what, "a firewall or security program blocks UDP on this machine")
        return
    try:
        arrived = read(link, subject, rigmap.outputs, datagrams)
    except ValueError as error:
        yield fault(where, f"a frame came back as something else: {error}")
        return
    yield compared(where, arrived, expected(link, rigmap.outputs, values), datagrams, took_ms)


def misfits(error: UserError, where: str) -> list[Finding]:
    """Return what keeps a link from being opened, with the link's own name."""
    return [fault(where, each.what, each.remedy) for each in error.problems]


def sample(rigmap: RigMap) -> NDArray[np.float32]:
    """Return values for all outputs, each another one, 0 to 1 as far as its range allows."""
    shares = np.linspace(0.1, 0.9, len(rigmap.outputs), dtype=np.float32)
    low = np.clip(rigmap.minimum[: len(shares)], 0.0, 1.0)
    high = np.clip(rigmap.maximum[: len(shares)], 0.0, 1.0)
    return np.asarray(low + shares * (high - low), dtype=np.float32)


def expected(
    link: LinkSpec, outputs: Sequence[str], values: NDArray[np.float32]
) -> dict[str, float]:
    """Return what the receiver of a link must see of these outputs."""
    named = dict(zip(outputs, values.tolist(), strict=True))
    if link.protocol == "osc":
        return {f"{link.prefix}/{name}": value for name, value in named.items()}
    if link.protocol == "vmc":
        shapes = {
            shape_name(name, link.presets, link.casing): value for name, value in named.items()
        }
        return {name: value for name, value in shapes.items() if name is not None}
    return named


def read(
    link: LinkSpec, subject: str, outputs: Sequence[str], datagrams: Sequence[bytes]
) -> dict[str, float]:
    """Return the values by name that stand in the datagrams of a frame. ValueError: none do."""
    if link.protocol == "livelink-face":
        (datagram,) = datagrams
        packet = livelink_face.decode(datagram)
        if (packet.subject, packet.frame) != (subject, FRAME) or packet.values is None:
            raise ValueError(f"frame {packet.frame} of {packet.subject!r}, not {FRAME}")
        return dict(zip(outputs, packet.values.tolist(), strict=True))
    messages = [message for datagram in datagrams for message in osc.decode_packet(datagram)]
    if link.protocol == "vmc":
        if messages[-1].address != APPLY:
            raise ValueError(f"the last message is {messages[-1].address}, not {APPLY}")
        return dict(_numbers(m.arguments) for m in messages if m.address == SHAPE)
    return dict(_numbers((message.address, *message.arguments)) for message in messages)


def compared(
    where: str,
    arrived: dict[str, float],
    wanted: dict[str, float],
    datagrams: Sequence[bytes],
    took_ms: float,
    tolerance: float = TOLERANCE,
) -> Finding:
    """Say whether what arrived is what was sent."""
    missing = [name for name in wanted if name not in arrived]
    wrong = [
        name
        for name, value in wanted.items()
        if name in arrived and abs(arrived[name] - value) > tolerance
    ]
    if missing or wrong:
        name = (missing + wrong)[0]
        what = f"{len(missing)} values are missing and {len(wrong)} are others, first {name}"
        return fault(where, what, "please report it with your rig map")
    count = "1 datagram" if len(datagrams) == 1 else f"{len(datagrams)} datagrams"
    size = sum(map(len, datagrams))
    what = f"{len(wanted)} values left in {count} of {size} bytes, arrived and read the same"
    return ok(where, f"{what} after {took_ms:.1f} ms")


def _numbers(arguments: tuple[osc.Argument, ...]) -> tuple[str, float]:
    match arguments:
        case (str(name), float(value)):
            return name, value
    raise ValueError(f"arguments {arguments!r} are not a name and a float")


def _received(ear: socket.socket, count: int) -> list[bytes]:
    """Return so many datagrams, none where one of them does not come."""
    ear.settimeout(PATIENCE_S)
    try:
        return [ear.recv(MAX_DATAGRAM_BYTES) for _ in range(count)]
    except TimeoutError:
        return []

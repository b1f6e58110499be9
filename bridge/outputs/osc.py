"""osc://: OSC bundles with one float for each curve, at an address that ends in its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import UdpLink
from cstalk_bridge.outputs.osc_messages import (
    OSC_STARTS,
    VMC_ADDRESSES,
    BundleTemplate,
    address_fault,
    decode_packet,
    name_and_float,
    numbered,
    packet_messages,
)
from cstalk_bridge.outputs.protocol import (
    LinkConfig,
    RigMapName,
    SetupGuide,
    StreamFrame,
    UdpProtocol,
    readable,
)
from cstalk_bridge.outputs.udp import UdpTargets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cstalk_bridge.outputs.link import Floats
    from cstalk_bridge.outputs.osc_messages import Argument
    from cstalk_bridge.outputs.protocol import LinkSource, OutputServer
    from cstalk_bridge.outputs.udp import Target


MAX_PREFIXES = 16
"""Prefixes in one datagram; a face has one."""


def _address(prefix: str) -> str:
    if prefix and (fault := address_fault(prefix)):
        raise ValueError(fault)
    return prefix


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


class OscConfig(LinkConfig):
    """A link to receivers of OSC messages. `prefix`, such as `/face`, precedes each curve."""

    path_option = "prefix"

    protocol: Literal["osc"] = "osc"
    rigmap: RigMapName = "metahuman"
    prefix: Annotated[str, AfterValidator(_address)] = ""

    def __str__(self) -> str:
        return f"{super().__str__()}{self.prefix}"


class OscProtocol(UdpProtocol[OscConfig]):
    """Curves as OSC messages of one float each."""

    label = "OSC"
    config = OscConfig
    default_port = 8000
    starts = OSC_STARTS

    def open(
        self, config: OscConfig, source: LinkSource, server: OutputServer | None = None
    ) -> OscLink:
        """Open the link; UserError for names that make no OSC address."""
        try:
            template = BundleTemplate([f"{config.prefix}/{output}" for output in source.outputs])
        except ValueError as error:
            what = f"the outputs of rig map {config.rigmap!r} make no OSC addresses: {error}"
            remedy = "rename the output or the prefix"
            raise UserError(Problem(str(config), what, remedy)) from None
        return OscLink(str(config), template, UdpTargets(config.targets), source.rest)

    def expected(self, config: OscConfig, source: LinkSource, values: Floats) -> dict[str, float]:
        """Return the values by their OSC addresses."""
        named = zip(source.outputs, values.tolist(), strict=True)
        return {f"{config.prefix}/{name}": value for name, value in named}

    def decode(
        self, config: OscConfig, source: LinkSource, frame: int, datagrams: Sequence[bytes]
    ) -> dict[str, float]:
        """Return the values of a frame's messages by their OSC addresses."""
        messages = [message for datagram in datagrams for message in decode_packet(datagram)]
        return dict(name_and_float((each.address, *each.arguments)) for each in messages)

    def recognise(self, datagram: bytes) -> list[StreamFrame]:
        """Return a frame for each prefix; ValueError beyond `MAX_PREFIXES`.

        `/face/jawOpen f` is the curve `jawOpen` of the subject `/face`; `/W i f`, which Face Cap
        sends, is the curve `W[i]`; a message with several numbers is as many curves, `HR[0]`,
        `HR[1]`, ...
        """
        subjects: dict[str, dict[str, float]] = {}
        for message in packet_messages(datagram):
            if message.address.startswith(VMC_ADDRESSES):
                continue
            prefix, _, name = message.address.rpartition("/")
            subjects.setdefault(prefix or "/", {}).update(_curves(name, message.arguments))
            if len(subjects) > MAX_PREFIXES:
                raise ValueError(f"more than {MAX_PREFIXES} OSC prefixes in one datagram")
        return [
            StreamFrame(self.name, readable(subject), curves=curves)
            for subject, curves in subjects.items()
        ]

    def guide(
        self,
        config: OscConfig,
        target: Target,
        subjects: Sequence[str],
        addresses: Sequence[str],
    ) -> SetupGuide:
        """Return how a Blueprint in Unreal receives the messages."""
        steps = (
            "Edit > Plugins: enable OSC. In a Blueprint: Create OSC Server at "
            f"0.0.0.0 port {target.port}, then bind On Osc Message Received.",
            f"Each curve is an address, as {config.prefix}/NAME, with one float "
            f"(`cstalk-bridge rigmap show {config.rigmap}` lists them).",
        )
        return SetupGuide(f"{self.label} at {target}", steps)

    def address_space(self, config: OscConfig) -> str:
        """Return the addresses of the curves: nothing else separates subjects."""
        return f"{self.name}{config.prefix}"

    def sharing_remedy(self, target: Target, subject: str) -> str:
        """Return the prefix that separates subjects."""
        return f"add a prefix, as {self.name}://{target}/{subject}"


def _curves(name: str, arguments: tuple[Argument, ...]) -> dict[str, float]:
    name = readable(name)
    if not all(_is_number(argument) for argument in arguments):
        return {}
    match arguments:
        case (value,):
            return numbered([name], [value])
        case (int(index), float(value)):
            return {f"{name}[{index}]": value}
        case _:
            names = [f"{name}[{index}]" for index in range(len(arguments))]
            return numbered(names, arguments)


def _is_number(argument: Argument) -> bool:
    return isinstance(argument, int | float) and not isinstance(argument, bool)


OSC = OscProtocol()

"""From what a link is told to a link that sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.links.link import Link, LiveLinkFaceLink, OscLink
from bridge.links.livelink_face import Encoder, device_id, subject_fault
from bridge.links.metahuman.access import Access
from bridge.links.osc_bundles import BundleTemplate
from bridge.links.udp import UdpTargets
from bridge.links.vmc import VmcEncoder, VmcLink
from bridge.rig.tables import load_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from bridge.clock.rate import FrameRate
    from bridge.links.metahuman.opening import Devices
    from bridge.links.spec import LinkSpec

    Floats = NDArray[np.float32]

PACKET_TABLE = "livelinkface61"
"""The rig table whose curves are the values of a Live Link Face packet, in packet order."""


def open_link(
    spec: LinkSpec,
    subject_name: str,
    outputs: Sequence[str],
    rate: FrameRate,
    devices: Devices | None = None,
    rest: Floats | None = None,
) -> Link:
    """Open the link of a subject whose rig map has these outputs.

    `devices` holds the places at which links listen; a link that does needs them. `rest` is what
    the map makes of a face at rest, [outputs]; None is 0, or the curve's own rest where the
    protocol knows it.
    UserError: a subject name or outputs which the protocol cannot carry, a host that is not found.
    """
    if spec.protocol == "livelink-face":
        return _open_livelink_face(spec, subject_name, outputs, rate, rest)
    if spec.protocol == "vmc":
        return _open_vmc(spec, outputs, rate, rest)
    if spec.protocol == "metahuman":
        if devices is None:
            raise ValueError(f"{spec} listens, and there are no devices to listen with")
        (target,) = spec.targets
        access = Access(spec.allow, spec.discoverable)
        place = (target.host, target.port)
        return devices.link(str(spec), place, subject_name, outputs, rate, access, rest)
    return _open_osc(spec, outputs, rest)


def _open_livelink_face(
    spec: LinkSpec,
    subject_name: str,
    outputs: Sequence[str],
    rate: FrameRate,
    rest: Floats | None,
) -> Link:
    problems = []
    if fault := subject_fault(subject_name):
        problems.append(Problem(str(spec), fault, "choose another subject name"))
    if tuple(outputs) != (names := tuple(c.name for c in load_table(PACKET_TABLE).curves)):
        what = (
            f"rig map {spec.rigmap!r} has {len(outputs)} outputs that are not the {len(names)} "
            "values of a Live Link Face packet in their order"
        )
        problems.append(Problem(str(spec), what, f"use a rig map with target: {PACKET_TABLE}"))
    if problems:
        raise UserError.of(problems)
    encoder = Encoder(device_id(subject_name), subject_name, rate)
    return LiveLinkFaceLink(str(spec), encoder, UdpTargets(spec.targets), rest)


def _open_vmc(spec: LinkSpec, outputs: Sequence[str], rate: FrameRate, rest: Floats | None) -> Link:
    try:
        encoder = VmcEncoder(outputs, spec.presets, spec.casing, has_bone=spec.bone == "head")
    except ValueError as error:
        what = f"the outputs of rig map {spec.rigmap!r} make no VMC frame: {error}"
        raise UserError(Problem(str(spec), what, "rename the output, or use rigmap=vrm")) from None
    return VmcLink(str(spec), encoder, rate, UdpTargets(spec.targets), rest)


def _open_osc(spec: LinkSpec, outputs: Sequence[str], rest: Floats | None) -> Link:
    try:
        template = BundleTemplate([f"{spec.prefix}/{output}" for output in outputs])
    except ValueError as error:
        what = f"the outputs of rig map {spec.rigmap!r} make no OSC addresses: {error}"
        raise UserError(Problem(str(spec), what, "rename the output or the prefix")) from None
    return OscLink(str(spec), template, UdpTargets(spec.targets), rest)

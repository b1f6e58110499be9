"""The protocols by name: opens the link that a configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.outputs.livelink_face import open_livelink_face
from cstalk_bridge.outputs.metahuman.device import AccessRules
from cstalk_bridge.outputs.osc import open_osc
from cstalk_bridge.outputs.vmc import open_vmc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.outputs.config import LinkConfig
    from cstalk_bridge.outputs.link import Floats, Link
    from cstalk_bridge.outputs.metahuman.output import Devices
    from cstalk_bridge.timecode.smpte import FrameRate


def open_link(
    spec: LinkConfig,
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
        return open_livelink_face(spec, subject_name, outputs, rate, rest)
    if spec.protocol == "vmc":
        return open_vmc(spec, outputs, rate, rest)
    if spec.protocol == "metahuman":
        if devices is None:
            raise ValueError(f"{spec} listens, and there are no devices to listen with")
        (target,) = spec.targets
        access = AccessRules(spec.allow, spec.discoverable)
        place = (target.host, target.port)
        return devices.link(str(spec), place, subject_name, outputs, rate, access, rest)
    return open_osc(spec, outputs, rest)

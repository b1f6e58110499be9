"""osc://: OSC bundles with one float for each curve, at an address that ends in its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.errors import Problem, UserError
from cstalk_bridge.outputs.link import Link, UdpLink
from cstalk_bridge.outputs.osc_messages import BundleTemplate
from cstalk_bridge.outputs.udp import UdpTargets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cstalk_bridge.outputs.config import LinkConfig
    from cstalk_bridge.outputs.link import Floats


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


def open_osc(spec: LinkConfig, outputs: Sequence[str], rest: Floats | None) -> Link:
    """Open the link of `osc://`; raises UserError for names that make no OSC address."""
    try:
        template = BundleTemplate([f"{spec.prefix}/{output}" for output in outputs])
    except ValueError as error:
        what = f"the outputs of rig map {spec.rigmap!r} make no OSC addresses: {error}"
        raise UserError(Problem(str(spec), what, "rename the output or the prefix")) from None
    return OscLink(str(spec), template, UdpTargets(spec.targets), rest)

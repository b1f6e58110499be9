"""The output protocols, one line each, and the links and servers of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cstalk_bridge.outputs.livelink_face import LIVELINK_FACE
from cstalk_bridge.outputs.metahuman.protocol import METAHUMAN
from cstalk_bridge.outputs.osc import OSC
from cstalk_bridge.outputs.protocol import LinkSource, OutputProtocol
from cstalk_bridge.outputs.vmc import VMC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cstalk_bridge.outputs.config import LinkConfig
    from cstalk_bridge.outputs.link import Floats, Link
    from cstalk_bridge.outputs.protocol import OutputServer, Recorder
    from cstalk_bridge.timecode.smpte import FrameRate


OUTPUTS: dict[str, OutputProtocol[Any]] = {
    protocol.name: protocol
    for protocol in (
        LIVELINK_FACE,
        OSC,
        VMC,
        METAHUMAN,
    )
}
"""Every output protocol, by the scheme of its URLs."""


def protocol_of(config: LinkConfig) -> OutputProtocol[Any]:
    """Return the protocol of a link."""
    return OUTPUTS[config.protocol]


class OutputServers:
    """What the links of one run share, by protocol; `recorder` records what receivers ask for."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        servers = {name: protocol.serve(recorder) for name, protocol in OUTPUTS.items()}
        self._servers = {name: each for name, each in servers.items() if each is not None}

    def of(self, config: LinkConfig) -> OutputServer | None:
        """Return the server of the protocol of a link."""
        return self._servers.get(config.protocol)

    def start(self, notice: Callable[[str], None]) -> None:
        """Begin to serve; `notice` gets what users should know, from other threads."""
        for server in self._servers.values():
            server.start(notice)

    def close(self) -> None:
        """End all sessions and close the ports; close the links before."""
        for server in self._servers.values():
            server.close()


def open_link(
    config: LinkConfig,
    subject: str,
    outputs: Sequence[str],
    rate: FrameRate,
    servers: OutputServers | None = None,
    rest: Floats | None = None,
) -> Link:
    """Open the link of a subject whose rig map has these outputs.

    A link that listens needs the `servers` of the run. `rest` is what the map makes of a face at
    rest, [outputs]; None is 0, or the curve's own rest where the protocol knows it.
    UserError: a subject name or outputs which the protocol cannot carry, a host that is not found.
    """
    source = LinkSource(subject, tuple(outputs), rate, rest)
    server = None if servers is None else servers.of(config)
    return protocol_of(config).open(config, source, server)

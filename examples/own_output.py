"""Add an output, numbers as text: `python examples/own_output.py run --link text://127.0.0.1`."""

from cstalk_bridge.cli import main
from cstalk_bridge.outputs.link import UdpLink
from cstalk_bridge.outputs.protocol import LinkConfig, SetupGuide, StreamFrame, UdpProtocol
from cstalk_bridge.outputs.registry import OUTPUTS
from cstalk_bridge.outputs.udp import UdpTargets


class TextConfig(LinkConfig):
    protocol: str = "text"
    rigmap: str = "vrm"


class TextLink(UdpLink):
    def _encode(self, values, frame, subframe):
        return [b"face " + b" ".join(b"%.3f" % value for value in values)]


class TextProtocol(UdpProtocol[TextConfig]):
    label, config, default_port, starts, tolerance = "text", TextConfig, 9000, (b"face ",), 5e-4

    def open(self, config, source, server=None):
        return TextLink(str(config), len(source.outputs), UdpTargets(config.targets), source.rest)

    def decode(self, config, source, frame, datagrams):
        return dict(zip(source.outputs, map(float, datagrams[0].split()[1:]), strict=True))

    def recognise(self, datagram):
        return [StreamFrame(self.name, "text", frames=1, note=datagram[:60].decode("ascii"))]

    def guide(self, config, target, subjects, addresses):
        return SetupGuide(f"text at {target}", ("Read the numbers of each datagram.",))


OUTPUTS["text"] = TextProtocol()
raise SystemExit(main())  # every command knows the new output: run, doctor, listen

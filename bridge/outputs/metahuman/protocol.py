"""The protocol object of metahuman://: links, what `doctor` and `listen` see, and the guide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cstalk_bridge.outputs.config import ListeningConfig, RigMapName
from cstalk_bridge.outputs.metahuman import frame as wire
from cstalk_bridge.outputs.metahuman.device import DEFAULT_PORT, AccessRules
from cstalk_bridge.outputs.protocol import LOOPBACK, LoopbackFrame, OutputProtocol, SetupGuide
from cstalk_bridge.outputs.stream_frame import FrameTime, by_name, timed_frame
from cstalk_bridge.system.addresses import ANY_ADDRESS
from cstalk_bridge.timecode.tick import host_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.outputs.link import Floats
    from cstalk_bridge.outputs.metahuman.output import Devices, MetaHumanLink
    from cstalk_bridge.outputs.protocol import LinkSource, OutputServer, Recorder
    from cstalk_bridge.outputs.stream_frame import StreamFrame
    from cstalk_bridge.outputs.udp import Target
    from cstalk_bridge.timecode.tick import Tick


class MetaHumanConfig(ListeningConfig):
    """The address of a MetaHuman device.

    A `discoverable` device responds to searches on the local network.
    """

    protocol: Literal["metahuman"] = "metahuman"
    rigmap: RigMapName = "metahuman_device"
    discoverable: bool = False


class MetaHumanProtocol(OutputProtocol[MetaHumanConfig]):
    """A MetaHuman device to which Unreal connects.

    What serves it is imported where it is needed: every command that reads a config comes here.
    """

    label = "MetaHuman"
    config = MetaHumanConfig
    default_port = DEFAULT_PORT
    starts = (wire.VERSION.to_bytes(2, "little"),)
    tolerance = 1.0 / wire.FULL_SCALE

    def serve(self, recorder: Recorder | None) -> Devices:
        """Return the devices of one run."""
        from cstalk_bridge.outputs.metahuman.output import Devices

        return Devices(recorder=recorder)

    def open(
        self, config: MetaHumanConfig, source: LinkSource, server: OutputServer | None = None
    ) -> MetaHumanLink:
        """Open the link to the device at its address; UserError as `Devices.link`."""
        from cstalk_bridge.outputs.metahuman.output import Devices

        if not isinstance(server, Devices):
            raise TypeError(f"{config} listens, and there are no devices to listen with")
        (target,) = config.targets
        access = AccessRules(config.allow, config.discoverable)
        return server.link(
            str(config), (target.host, target.port), source.subject, source.outputs, source.rate,
            access, source.rest,
        )  # fmt: skip

    def loop_back(
        self, config: MetaHumanConfig, source: LinkSource, values: Floats, tick: Tick
    ) -> LoopbackFrame:
        """Open a device on a free port of this machine, ask it for the subject and read a frame."""
        from cstalk_bridge.outputs.metahuman.client import requested_frame
        from cstalk_bridge.outputs.metahuman.output import Devices

        start_s = host_now()
        devices = Devices()
        try:
            link = devices.link(
                str(config), (LOOPBACK, 0), source.subject, source.outputs, source.rate
            )
            try:
                devices.start(lambda _text: None)
                (port,) = devices.ports
                datagram, controls = requested_frame(
                    port, source.subject, lambda: link.send(values, tick)
                )
            finally:
                link.close()
        finally:
            devices.close()
        frame = wire.decode(datagram)
        arrived = by_name(tuple(controls), frame.values) | by_name(wire.HEAD_POSE, frame.pose)
        return LoopbackFrame((datagram,), arrived, host_now() - start_s)

    def recognise(self, datagram: bytes) -> list[StreamFrame]:
        """Return the frame of a subject; controls that are not a MetaHuman's 251 are numbered."""
        frame = wire.decode(datagram)
        names = wire.CONTROLS
        if len(frame.values) != len(names):
            # Which controls these are was said over TCP, to Unreal.
            names = tuple(f"control {index}" for index in range(len(frame.values)))
        time = FrameTime(frame.frame, frame.subframe, frame.rate_numerator, frame.rate_denominator)
        curves = by_name(names, frame.values) | by_name(wire.HEAD_POSE, frame.pose)
        return [timed_frame(self.name, frame.subject_id, time, curves)]

    def guide(
        self,
        config: MetaHumanConfig,
        target: Target,
        subjects: Sequence[str],
        addresses: Sequence[str],
    ) -> SetupGuide:
        """Return what to click in Unreal."""
        host = target.host
        if host in ANY_ADDRESS:
            host = " or ".join(addresses) or "this machine's address"
        name = subjects[0]  # Unreal takes the first subject of a device alone.
        steps = (
            "Edit > Plugins: enable Live Link and MetaHuman Live Link, and restart the editor.",
            "Here: cstalk-bridge run. Leave it running: Unreal connects to it, not the other way.",
            "Window > Virtual Production > Live Link > Add Source > Live Link Face (MetaHuman): "
            f"address {host}, port {target.port}.",
            f"Choose the subject there: {name}. The bridge then says `gets {name}`.",
            f"Details of that subject: smoothing and interpolation to none, for {name} is smooth; "
            "once its face rests, Capture Neutrals: before that Unreal leaves out the head's "
            "translation.",
            f"Select the MetaHuman in the level. Details: choose {name} as its Live Link "
            "subject. A MetaHuman made before 5.6 has no such field: use livelink-face:// for it.",
        )
        return SetupGuide(f"Unreal 5.6 and later: MetaHuman device at {target}", steps)


METAHUMAN = MetaHumanProtocol()

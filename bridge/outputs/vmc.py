"""vmc://: the VMC protocol (Virtual Motion Capture) as performer, one character's face.

After its specification (https://protocol.vmc.info/english). A frame is, in this order:

    /VMC/Ext/OK        iii  1 loaded, 3 calibrated, 0 normal
    /VMC/Ext/T         f    seconds since the first frame
    /VMC/Ext/Bone/Pos  s7f  "Head", position (m) and rotation (quaternion xyzw) on the neck
    /VMC/Ext/Blend/Val sf   name, value; every shape in every frame, for receivers that drop them
    /VMC/Ext/Blend/Apply    the values since the last one take effect

in as many bundles as necessary; `Apply` ends the last. Axes are Unity's, left-handed: x to the
character's right, y up, z forward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import UdpLink, checked_float32
from cstalk_bridge.outputs.osc_messages import (
    OSC_STARTS,
    VMC_ADDRESSES,
    PatchedBundles,
    decode_packet,
    encode_message,
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
from cstalk_bridge.rig import ARKIT_TABLE
from cstalk_bridge.rig.curves import load_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cstalk_bridge.outputs.link import Floats
    from cstalk_bridge.outputs.osc_messages import Message
    from cstalk_bridge.outputs.protocol import LinkSource, OutputServer
    from cstalk_bridge.outputs.udp import Target
    from cstalk_bridge.timecode.smpte import FrameRate


Presets = Literal["vrm0", "vrm1"]
"""How the presets of VRM are spelled: `Joy`, `A` in version 0, `happy`, `aa` in version 1."""

Casing = Literal["camel", "pascal"]
"""How ARKit curves are spelled: `jawOpen`, as ARKit and most receivers do, or `JawOpen`."""

Bones = Literal["head", "none"]
"""Which bones are sent."""

OK = f"{VMC_ADDRESSES}Ext/OK"
TIME = f"{VMC_ADDRESSES}Ext/T"
BONE = f"{VMC_ADDRESSES}Ext/Bone/Pos"
SHAPE = f"{VMC_ADDRESSES}Ext/Blend/Val"
APPLY = f"{VMC_ADDRESSES}Ext/Blend/Apply"

HEAD_AXES = ("Head.x", "Head.y", "Head.z")
"""The imaginary parts of the head bone's quaternion: half the sine of its turn."""

HEAD_TURNS = ("HeadYaw", "HeadPitch", "HeadRoll")
"""Outputs that turn the head bone: radians to the subject's left, up, and to its right shoulder."""

HEAD_POSITION_M = (0.0, 0.09, 0.0)
"""The head bone on the neck of a grown-up's skeleton. Most receivers take the rotation alone; one
that takes both would sink the head into the neck at 0."""

VRM0_NAMES = {
    "aa": "A",
    "ih": "I",
    "ou": "U",
    "ee": "E",
    "oh": "O",
    "blink": "Blink",
    "blinkLeft": "Blink_L",
    "blinkRight": "Blink_R",
    "happy": "Joy",
    "angry": "Angry",
    "sad": "Sorrow",
    "relaxed": "Fun",
    "surprised": "Surprised",
    "neutral": "Neutral",
    "lookUp": "LookUp",
    "lookDown": "LookDown",
    "lookLeft": "LookLeft",
    "lookRight": "LookRight",
}
"""Presets of VRM 1.0 in the spelling of VRM 0.x, which the protocol asks of every sender. VRM 0.x
has no preset for surprise; its most used avatar maker writes a clip of this name into its files."""


def shape_name(output: str, presets: Presets = "vrm0", casing: Casing = "camel") -> str | None:
    """Return the name of the shape which an output of a rig map moves; None for a rotation.

    ARKit curves and presets of VRM are spelled as asked, any other output keeps its name. Rotations
    of the eyes are left out: `eyeLook...` carries the same.
    """
    if curve := load_table(ARKIT_TABLE).by_name.get(output):
        if curve.minimum < 0:
            return None
        return output if casing == "pascal" else output[0].lower() + output[1:]
    return VRM0_NAMES.get(output, output) if presets == "vrm0" else output


class VmcEncoder:
    """Frames of one character, values [outputs] in the order of its rig map.

    Without an output of `HEAD_TURNS` the head bone is not sent, nor where `has_bone` is False: a
    receiver may take a lone bone for the root of a skeleton. ValueError: no shape among the
    outputs, one name for two of them, a name that is not an OSC string or too long for a bundle.
    """

    def __init__(
        self,
        outputs: Sequence[str],
        presets: Presets = "vrm0",
        casing: Casing = "camel",
        *,
        has_bone: bool = True,
    ) -> None:
        self.outputs = tuple(outputs)
        named = [shape_name(output, presets, casing) for output in self.outputs]
        self.shapes = tuple(name for name in named if name is not None)
        if not self.shapes:
            raise ValueError("no output is a shape")
        if twice := sorted({name for name in self.shapes if self.shapes.count(name) > 1}):
            raise ValueError(f"two outputs move the shape {twice[0]!r}")
        self._shape_places = np.array([i for i, name in enumerate(named) if name is not None])
        self._turn_places = [
            self.outputs.index(turn) if has_bone and turn in self.outputs else None
            for turn in HEAD_TURNS
        ]
        self.turns_head = any(place is not None for place in self._turn_places)
        bone = [(encode_message(BONE, "Head", *[0.0] * 7), 7)] if self.turns_head else []
        self._bundles = PatchedBundles(
            [
                (encode_message(OK, 1, 3, 0), 0),
                (encode_message(TIME, 0.0), 1),
                *bone,
                *((encode_message(SHAPE, name, 0.0), 1) for name in self.shapes),
                (encode_message(APPLY), 0),
            ]
        )

    def encode(self, values: Floats, time_s: float) -> list[bytes]:
        """Return the datagrams of a frame `time_s` after the first.

        ValueError before any byte is made: another shape than [outputs], a value that is not
        finite.
        """
        values = checked_float32(values, len(self.outputs))
        head: list[float] = []
        if self.turns_head:
            yaw, pitch, roll = (
                0.0 if place is None else float(values[place]) for place in self._turn_places
            )
            head = [*HEAD_POSITION_M, *head_rotation(yaw, pitch, roll)]
        floats = np.concatenate(([time_s], head, values[self._shape_places]), dtype=np.float32)
        return self._bundles.encode(floats)


def head_rotation(yaw: float, pitch: float, roll: float) -> tuple[float, float, float, float]:
    """Return the quaternion xyzw in Unity's axes of a head that rolls, then pitches, then yaws.

    Radians: yaw to the subject's left, pitch up, roll to its right shoulder. Unity's angles about
    x, y and z are positive down, to the right and to the left shoulder: each is turned round.
    """
    cosines = np.cos(np.array([pitch, yaw, roll]) / -2)
    sines = np.sin(np.array([pitch, yaw, roll]) / -2)
    (cx, cy, cz), (sx, sy, sz) = cosines.tolist(), sines.tolist()
    # The Hamilton product of the quaternions about y, x and z.
    return (
        sx * cy * cz + cx * sy * sz,
        cx * sy * cz - sx * cy * sz,
        cx * cy * sz - sx * sy * cz,
        cx * cy * cz + sx * sy * sz,
    )


class VmcLink(UdpLink):
    """Frames of one character to receivers of the VMC protocol, at the ticks of `rate`."""

    def __init__(
        self,
        name: str,
        encoder: VmcEncoder,
        rate: FrameRate,
        targets: UdpTargets,
        rest: Floats | None = None,
    ) -> None:
        super().__init__(name, len(encoder.outputs), targets, rest)
        self._encoder = encoder
        self._rate = rate
        self._first_frame: int | None = None

    def _encode(self, values: Floats, frame: int, subframe: float) -> list[bytes]:
        if self._first_frame is None:
            self._first_frame = frame
        return self._encoder.encode(values, (frame - self._first_frame + subframe) / self._rate.hz)


class VmcConfig(LinkConfig):
    """A link to receivers of the VMC protocol."""

    protocol: Literal["vmc"] = "vmc"
    rigmap: RigMapName = "vrm"
    presets: Presets = "vrm0"
    casing: Casing = "camel"
    bone: Bones = "head"


class VmcProtocol(UdpProtocol[VmcConfig]):
    """The VMC protocol as performer."""

    label = "VMC"
    config = VmcConfig
    default_port = 39539
    starts = OSC_STARTS

    def open(
        self, config: VmcConfig, source: LinkSource, server: OutputServer | None = None
    ) -> VmcLink:
        """Open the link; UserError for outputs that make no frame."""
        has_bone = config.bone != "none"
        try:
            encoder = VmcEncoder(source.outputs, config.presets, config.casing, has_bone=has_bone)
        except ValueError as error:
            what = f"the outputs of rig map {config.rigmap!r} make no VMC frame: {error}"
            remedy = "rename the output, or use rigmap=vrm"
            raise UserError(Problem(str(config), what, remedy)) from None
        targets = UdpTargets(config.targets)
        return VmcLink(str(config), encoder, source.rate, targets, source.rest)

    def expected(self, config: VmcConfig, source: LinkSource, values: Floats) -> dict[str, float]:
        """Return the values by the names of their shapes, without those of rotations."""
        shapes = (shape_name(name, config.presets, config.casing) for name in source.outputs)
        named = zip(shapes, values.tolist(), strict=True)
        return {name: value for name, value in named if name is not None}

    def decode(
        self, config: VmcConfig, source: LinkSource, frame: int, datagrams: Sequence[bytes]
    ) -> dict[str, float]:
        """Return the values of the shapes of a frame, which must end with `APPLY`."""
        messages = [message for datagram in datagrams for message in decode_packet(datagram)]
        if messages[-1].address != APPLY:
            raise ValueError(f"the last message is {messages[-1].address}, not {APPLY}")
        return dict(name_and_float(m.arguments) for m in messages if m.address == SHAPE)

    def recognise(self, datagram: bytes) -> list[StreamFrame]:
        """Return the frame of the one performer, if the datagram holds a part of it."""
        if VMC_ADDRESSES.encode() not in datagram:
            return []
        messages = [m for m in packet_messages(datagram) if m.address.startswith(VMC_ADDRESSES)]
        return [self._frame(messages)] if messages else []

    def _frame(self, messages: Iterable[Message]) -> StreamFrame:
        curves: dict[str, float] = {}
        applied = 0
        note = ""
        for message in messages:
            match message.address, message.arguments:
                case address, (str(name), float(value), *_) if address == SHAPE:
                    curves[readable(name)] = value
                case address, (str(), int(), *_) if address == SHAPE:
                    note = "a shape's value is an integer, which receivers ignore"
                case address, _ if address == APPLY:
                    applied += 1
                case address, ("Head", *pose) if address == BONE and len(pose) >= 7:
                    curves |= numbered(HEAD_AXES, pose[3:6])
                case address, (0, *_) if address == OK:
                    note = "the performer has no model loaded"
        return StreamFrame(self.name, "", curves=curves, frames=applied, note=note)

    def guide(
        self,
        config: VmcConfig,
        target: Target,
        subjects: Sequence[str],
        addresses: Sequence[str],
    ) -> SetupGuide:
        """Return how to set up receivers of avatars."""
        steps = (
            f"VSeeFace, Warudo, VMCLiveLink: receive VMC (marionette) at port {target.port}.",
            f"Shapes are those of the rig map {config.rigmap}; presets as "
            f"{config.presets.upper()}, ARKit names in {config.casing} case, bone: {config.bone}.",
        )
        return SetupGuide(f"{self.label} at {target}", steps)

    def address_space(self, config: VmcConfig) -> str:
        """Return the one space that all performers share."""
        return self.name


VMC = VmcProtocol()

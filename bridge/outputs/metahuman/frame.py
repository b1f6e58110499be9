"""The UDP frame of a MetaHuman device: one datagram is one frame of one subject.

All fields are little-endian. 251 controls and an id of 36 characters make 584 bytes:

    offset    type     field
    0         u16      version, 1
    2         u16      n, bytes of the subject id
    4         n bytes  subject id, UTF-8
    4+n       i32      frame number: presentation time in frames, does not wrap at 24 h
    8+n       f32      subframe, 0 <= subframe < 1
    12+n      i32      frame rate numerator
    16+n      i32      frame rate denominator
    20+n      u16      k, controls
    22+n      k u16    values 0..1, times 65535
    22+n+2k   6 f32    head pose, in the order of `HEAD_POSE`
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.outputs.link import LARGEST_SUBFRAME, check_frame_time, checked_float32
from cstalk_bridge.rig.curves import load_table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.timecode.smpte import FrameRate


VERSION = 1

_CURVES = [curve for curve in load_table("metahuman").curves if curve.region != "head"]

CONTROLS: tuple[str, ...] = tuple(curve.name for curve in _CURVES)
"""The controls that the bridge sends for every subject, in wire order: all raw curves, whatever a
rig map moves.

`CTRL_expressions_mouthUp` must be among them: by its presence Unreal's Blueprint knows that the
curves are a MetaHuman's own."""

REST: NDArray[np.float32] = np.array([curve.rest for curve in _CURVES], dtype=np.float32)
"""The controls of a face at rest, [controls]."""

HEAD_POSE = (
    "HeadRoll",
    "HeadPitch",
    "HeadYaw",
    "HeadTranslationX",
    "HeadTranslationY",
    "HeadTranslationZ",
)
"""Rotation in degrees in the axes of the head bone, translation in centimetres, by the names which
Unreal gives them; it passes the rotation on as it is."""

FULL_SCALE = 65535
"""What 1.0 is on the wire."""

MAX_ID_BYTES = 256
"""Longest subject id that is read or written; those of the bridge have 36."""

MAX_CONTROLS = 1024
"""Most controls that are read; a MetaHuman has 251."""

MAX_DATAGRAM_BYTES = 4 + MAX_ID_BYTES + 18 + 2 * MAX_CONTROLS + 4 * len(HEAD_POSE)

TIME = struct.Struct("<if")
RATE_AND_COUNT = struct.Struct("<iiH")


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFrame:
    """A decoded datagram. `values` is float32 [controls], 0..1; `pose` float32 [6]."""

    subject_id: str
    frame: int
    subframe: float
    rate_numerator: int
    rate_denominator: int
    values: NDArray[np.float32]
    pose: NDArray[np.float32]


class FrameEncoder:
    """Datagrams of one subject: everything that stays the same is put together once.

    ValueError for an id that is empty or beyond `MAX_ID_BYTES`, and for more than `MAX_CONTROLS`.
    """

    def __init__(self, subject_id: str, rate: FrameRate, controls: int = len(CONTROLS)) -> None:
        identity = subject_id.encode("utf-8")
        if not 0 < len(identity) <= MAX_ID_BYTES:
            raise ValueError(f"subject id of {len(identity)} bytes, not 1..{MAX_ID_BYTES}")
        if not 0 < controls <= MAX_CONTROLS:
            raise ValueError(f"{controls} controls, not 1..{MAX_CONTROLS}")
        self._controls = controls
        self._head = struct.pack("<HH", VERSION, len(identity)) + identity
        self._rate = RATE_AND_COUNT.pack(rate.numerator, rate.denominator, controls)

    def encode(self, frame: int, subframe: float, values: ArrayLike, pose: ArrayLike) -> bytes:
        """Return the datagram of a frame; `values` [controls] end at 0 and 1, `pose` is [6].

        ValueError before any byte is made: frame beyond 0..`MAX_FRAME`, subframe beyond 0..1, a
        value that is not finite, another number of values.
        """
        check_frame_time(frame, subframe)
        face = np.clip(checked_float32(values, self._controls), 0.0, 1.0) * np.float32(FULL_SCALE)
        head = checked_float32(pose, len(HEAD_POSE))
        time = TIME.pack(frame, min(subframe, LARGEST_SUBFRAME))
        steps = np.rint(face).astype("<u2").tobytes()
        return b"".join((self._head, time, self._rate, steps, head.astype("<f4").tobytes()))


def decode(datagram: bytes) -> DeviceFrame:
    """Read a datagram.

    ValueError, with the offending number, for another version, a length that is not what the fields
    say, more than `MAX_DATAGRAM_BYTES`, an id that is empty, too long or not UTF-8, a subframe
    outside [0, 1), a rate that is not positive, and a pose that is not finite.
    """
    size = len(datagram)
    if not 4 <= size <= MAX_DATAGRAM_BYTES:
        raise ValueError(f"{size} bytes, not 4..{MAX_DATAGRAM_BYTES}")
    version, id_bytes = struct.unpack_from("<HH", datagram)
    if version != VERSION:
        raise ValueError(f"version {version}, not {VERSION}")
    offset = 4 + id_bytes
    end = offset + TIME.size + RATE_AND_COUNT.size
    if not 0 < id_bytes <= MAX_ID_BYTES or size < end:
        raise ValueError(f"subject id of {id_bytes} bytes in a datagram of {size}")
    frame, subframe = TIME.unpack_from(datagram, offset)
    numerator, denominator, count = RATE_AND_COUNT.unpack_from(datagram, offset + TIME.size)
    if not (math.isfinite(subframe) and 0.0 <= subframe < 1.0):
        raise ValueError(f"subframe {subframe} is not within 0..1")
    if numerator <= 0 or denominator <= 0:
        raise ValueError(f"frame rate {numerator}/{denominator} is not positive")
    if size != end + 2 * count + 4 * len(HEAD_POSE):
        raise ValueError(f"{count} controls and a head pose in {size - end} bytes")
    steps = np.frombuffer(datagram, dtype="<u2", count=count, offset=end)
    pose = np.frombuffer(datagram, dtype="<f4", offset=end + 2 * count)
    return DeviceFrame(
        _text(datagram[4:offset]),
        frame,
        subframe,
        numerator,
        denominator,
        steps.astype(np.float32) / np.float32(FULL_SCALE),
        checked_float32(pose, len(HEAD_POSE)),
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"subject id is not UTF-8: {error.reason}") from None

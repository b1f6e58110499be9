"""Datagrams of every protocol, made by our own links' encoders."""

from __future__ import annotations

import numpy as np

from cstalk_bridge.outputs.livelink_face import LiveLinkFaceEncoder
from cstalk_bridge.outputs.metahuman.messages import CONTROLS, FrameEncoder
from cstalk_bridge.outputs.osc_messages import BundleTemplate
from cstalk_bridge.outputs.vmc import VmcEncoder
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.timecode.smpte import FRAME_RATES

ID = "12345678-90AB-CDEF-1234-567890ABCDEF"
RATE = FRAME_RATES["60"]
ARKIT = tuple(curve.name for curve in load_table("livelinkface61").curves)
JAW = 0.5


def livelink_face(frame: int, subject: str = "Ada") -> bytes:
    values = np.zeros(61, np.float32)
    values[ARKIT.index("JawOpen")] = JAW
    return LiveLinkFaceEncoder(ID, subject, RATE).encode(frame, 0.25, values)


def no_face(frame: int) -> bytes:
    return LiveLinkFaceEncoder(ID, "Ada", RATE).encode(frame, 0.0, None)


def metahuman(frame: int, controls: int = len(CONTROLS)) -> bytes:
    values = np.zeros(controls, np.float32)
    values[min(controls - 1, CONTROLS.index("CTRL_expressions_jawOpen"))] = JAW
    pose = np.array([0, 0, 12, 0, 0, 0], np.float32)
    return FrameEncoder(ID, RATE, controls).encode(frame, 0.25, values, pose)


def osc(prefix: str = "/face", curves: tuple[str, ...] = CONTROLS) -> list[bytes]:
    values = np.full(len(curves), JAW, np.float32)
    return BundleTemplate([f"{prefix}/{curve}" for curve in curves]).encode(values)


def vmc() -> list[bytes]:
    values = np.zeros(61, np.float32)
    values[ARKIT.index("JawOpen")] = JAW
    values[ARKIT.index("HeadYaw")] = 0.2
    return VmcEncoder(ARKIT).encode(values, 1.0)

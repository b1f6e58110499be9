"""Datagrams of every protocol, made by our own links' encoders."""

from __future__ import annotations

import numpy as np

from bridge.clock.rate import FRAME_RATES
from bridge.links.livelink_face import Encoder
from bridge.links.metahuman.frame import CONTROLS, FrameEncoder
from bridge.links.osc_bundles import BundleTemplate
from bridge.links.vmc import VmcEncoder
from bridge.rig.tables import load_table

ID = "12345678-90AB-CDEF-1234-567890ABCDEF"
RATE = FRAME_RATES["60"]
ARKIT = tuple(curve.name for curve in load_table("livelinkface61").curves)
JAW = 0.5


def livelink_face(frame: int, subject: str = "Ada") -> bytes:
    values = np.zeros(61, np.float32)
    values[ARKIT.index("JawOpen")] = JAW
    return Encoder(ID, subject, RATE).encode(frame, 0.25, values)


def no_face(frame: int) -> bytes:
    return Encoder(ID, "Ada", RATE).encode(frame, 0.0, None)


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

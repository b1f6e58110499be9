"""Linear timecode as sound, written from the standard's description for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.timecode.smpte import Timecode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.timecode.smpte import FrameRate


SYNC = "0011111111111101"
OVERSAMPLING = 8


def digit(value: int, bits: int) -> str:
    return f"{value:0{bits}b}"[::-1]


def codeword(label: str, *, user: int = 0) -> str:
    """The 80 bits of a frame in the order in which they are sent; `user` fills all user bits."""
    hours, minutes, seconds, frames = (int(part) for part in label.replace(";", ":").split(":"))
    own = digit(user, 4)
    drop = "1" if ";" in label else "0"
    return (
        digit(frames % 10, 4) + own + digit(frames // 10, 2) + drop + "0" + own
        + digit(seconds % 10, 4) + own + digit(seconds // 10, 3) + "0" + own
        + digit(minutes % 10, 4) + own + digit(minutes // 10, 3) + "0" + own
        + digit(hours % 10, 4) + own + digit(hours // 10, 2) + "00" + own
        + SYNC
    )  # fmt: skip


def labels(rate: FrameRate, first: str, count: int) -> list[str]:
    start = Timecode.from_label(rate, first)
    return [(start + number).label for number in range(count)]


def sound(
    names: list[str],
    rate: FrameRate,
    rate_hz: int = 48_000,
    *,
    speed: float = 1.0,
    level: float = 0.5,
    user: int = 0,
) -> NDArray[np.float32]:
    """The frames of those labels one after another, float32 [time], then 10 ms of silence."""
    bits = "".join(codeword(name, user=user) for name in names)
    halves = np.array([(1, int(bit)) for bit in bits + "0"])
    levels = np.cumprod(1 - 2 * halves.ravel())
    half_s = float(rate.frame_s) / (2 * len(SYNC) * 5) / speed
    count = int((len(levels) - 1) * half_s * rate_hz)
    times_s = np.arange(count * OVERSAMPLING) / (OVERSAMPLING * rate_hz)
    wave = levels[np.minimum((times_s / half_s).astype(int), len(levels) - 1)]
    padding = np.zeros(rate_hz // 100)
    samples = level * wave.reshape(-1, OVERSAMPLING).mean(axis=1)
    return np.concatenate((samples, padding)).astype(np.float32)

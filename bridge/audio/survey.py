"""One pass over a recording: how long it is, and which of its channels to use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bridge.audio.decoder import COUNTED_FRAMES, MAX_DECODED_S
from bridge.audio.level import FLOOR_DB, amplitude, decibels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.audio.channel import Channel
    from bridge.audio.decoder import Decoder
    from bridge.audio.layout import Layout

DEAD_DB: Final = 40.0
"""So far below the loudest channel the others hold no voice."""

CANCEL_DB: Final = 6.0
"""So far below the mix of unrelated sounds a mix has lost what its channels hold."""

SQUARE_SHARE: Final = 0.6
"""Of the power that its peak allows; a square wave has 1, a sine 0.5, a voice less than 0.1."""

ALIKE_SHARE: Final = 0.99
"""Of the power of the loudest channel, from which on another is as loud."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a recording holds: `frames` that can be decoded, and the channel to use of them.

    `promised_s` is the length that its header tells where the file holds less, else 0; `fault` says
    why it could not be decoded further. `notices` are for the user.
    """

    frames: int
    channel: Channel
    promised_s: float = 0.0
    fault: str = ""
    notices: tuple[str, ...] = ()

    def damage(self, rate_hz: int) -> str:
        """Return where the recording breaks off, in words; empty where it is whole."""
        if not self.promised_s and not self.fault:
            return ""
        of = f" of {self.promised_s:.2f} s" if self.promised_s else ""
        why = f" ({self.fault})" if self.fault else ""
        return f"damaged: it breaks off at {self.frames / rate_hz:.2f} s{of}{why}"


def survey(decoder: Decoder, layout: Layout, channel: Channel) -> Survey:
    """Return what a recording holds, and leave the decoder at its beginning.

    It is decoded, up to `MAX_DECODED_S`, only where its length or its channels leave a choice.
    """
    notices = [layout.notice] if layout.notice else []
    frames, fault = decoder.frames, layout.fault
    promised_s = 0.0
    if frames is not None and 0 < layout.missing < 1:
        promised_s = frames / (1.0 - layout.missing) / decoder.rate_hz
    if frames is None or (channel is None and decoder.channels > 1):
        levels, most = Levels(decoder.channels), int(MAX_DECODED_S * decoder.rate_hz) + 1
        while levels.frames < most and len(piece := decoder.read(COUNTED_FRAMES)):
            levels.add(piece)
        fault = decoder.fault or fault
        if decoder.fault and frames is not None:
            promised_s = frames / decoder.rate_hz
        if decoder.fault or frames is None:
            frames = levels.frames
        if channel is None:
            channel, notice = levels.choice()
            notices += [notice] if notice else []
        decoder.seek(0)
    return Survey(frames, channel, promised_s, fault, tuple(notices))


class Levels:
    """The power of each channel and of their mean, without what is constant, as sound comes in."""

    def __init__(self, channels: int) -> None:
        self.frames = 0
        self._channels = channels
        self._sums, self._squares = np.zeros((2, channels + 1))
        self._highest, self._lowest = np.full(channels, -np.inf), np.full(channels, np.inf)

    def add(self, piece: NDArray[np.float32]) -> None:
        """Take the next frames, [frames, channels]."""
        finite = np.nan_to_num(piece, posinf=0.0, neginf=0.0)
        for index in range(self._channels + 1):
            of = finite[:, index] if index < self._channels else finite.mean(axis=1)
            self._sums[index] += of.sum(dtype=np.float64)
            self._squares[index] += float(np.dot(of, of))
        self._highest = np.maximum(self._highest, finite.max(axis=0))
        self._lowest = np.minimum(self._lowest, finite.min(axis=0))
        self.frames += len(piece)

    def choice(self) -> tuple[Channel, str]:
        """Return what `choose` says of all that was taken."""
        if not self.frames:
            return None, ""
        powers = self._squares / self.frames - np.square(self._sums / self.frames)
        powers = np.maximum(powers, 0.0)
        peaks = (self._highest - self._lowest) / 2
        is_square = powers[:-1] > SQUARE_SHARE * np.square(peaks)
        return choose(powers[:-1], float(powers[-1]), is_square)


def choose(
    powers: NDArray[np.float64], mix_power: float, is_square: NDArray[np.bool_]
) -> tuple[Channel, str]:
    """Return the channel to use, None for the mean, and a notice where it is one alone.

    `powers` are those of the channels, without what is constant, `mix_power` that of their mean.
    Unrelated sounds give a mean of the power sum(powers) / n^2; far below that they cancel.
    `is_square` tells the channels that hold a square wave.
    """
    count, loudest = len(powers), _loudest(powers)
    if count < 2 or decibels(float(powers[loudest]) ** 0.5) <= FLOOR_DB:
        return None, ""
    if np.delete(powers, loudest).max() <= powers[loudest] * amplitude(-DEAD_DB) ** 2:
        return _alone(loudest, f"only channel {loudest + 1} of {count} holds sound")
    voices = np.where(is_square, 0.0, powers)
    voice = _loudest(voices)
    if is_square.any() and decibels(float(voices[voice]) ** 0.5) > FLOOR_DB:
        first = int(is_square.argmax()) + 1
        return _alone(voice, f"channel {first} holds a square wave, such as timecode, and no voice")
    if mix_power < powers.sum() / count**2 * amplitude(-CANCEL_DB) ** 2:
        below_db = decibels(float(powers[loudest]) ** 0.5) - decibels(mix_power**0.5)
        lost = f"its channels cancel each other, their mix is {below_db:.0f} dB softer than one"
        return _alone(loudest, lost)
    return None, ""


def _loudest(powers: NDArray[np.float64]) -> int:
    """Return the first of those that differ from the loudest by rounding alone."""
    return int((powers >= ALIKE_SHARE * powers.max()).argmax())


def _alone(index: int, why: str) -> tuple[Channel, str]:
    return index + 1, f"{why}: channel {index + 1} alone is used; `channel` chooses another, or all"

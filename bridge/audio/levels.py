"""Levels of audio in dBFS, and the choice of one channel of many by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


ALL: Final = "all"

Channel = int | Literal["all"] | None
"""Which channel of several: one, counted from 1; the mean of all; None for the mean unless it
cancels."""


def pick_channel(samples: NDArray[np.float32], channel: Channel) -> NDArray[np.float32]:
    """Return one channel (counted from 1) of samples [frames, channels], or the mean of all."""
    if isinstance(channel, int):
        return np.ascontiguousarray(samples[:, channel - 1])
    if samples.shape[1] == 1:
        return samples[:, 0]
    return np.asarray(samples.mean(axis=1), dtype=np.float32)


FLOOR_DB = -100.0
"""Level of digital silence, and the lowest that is shown: below the range of 16 bits."""


def decibels(amplitude: float) -> float:
    """Return dBFS of an amplitude with full scale 1, at least `FLOOR_DB`."""
    return max(FLOOR_DB, 20.0 * float(np.log10(amplitude))) if amplitude > 0.0 else FLOOR_DB


def amplitude(db: float) -> float:
    """Return the amplitude of a level in dB."""
    return float(10.0 ** (db / 20.0))


def rms_db(samples: NDArray[np.float32]) -> float:
    """Return the root-mean-square level in dBFS; a full-scale square wave has 0, a sine -3."""
    if not len(samples):
        return FLOOR_DB
    return decibels(float(np.sqrt(np.dot(samples, samples) / len(samples))))


def peak_db(samples: NDArray[np.float32]) -> float:
    """Return the level of the largest sample in dBFS."""
    return decibels(float(np.abs(samples).max())) if len(samples) else FLOOR_DB


DEAD_DB: Final = 40.0
"""Level below the loudest channel at which the others carry no voice."""

CANCEL_DB: Final = 6.0
"""Level below the mix of unrelated sounds at which the channels cancel each other out."""

SQUARE_SHARE: Final = 0.6
"""Share of the power that a peak allows: a square wave has 1, a sine 0.5, a voice below 0.1."""

ALIKE_SHARE: Final = 0.99
"""Share of the power of the loudest channel from which another counts as equally loud."""


class ChannelLevels:
    """The power of each channel and of their mean, without DC, accumulated over a stream."""

    def __init__(self, channels: int) -> None:
        self.frames = 0
        self._channels = channels
        self._sums, self._squares = np.zeros((2, channels + 1))
        self._highest, self._lowest = np.full(channels, -np.inf), np.full(channels, np.inf)

    def add(self, piece: NDArray[np.float32]) -> None:
        """Add the next frames, [frames, channels]."""
        finite = np.nan_to_num(piece, posinf=0.0, neginf=0.0)
        for index in range(self._channels + 1):
            of = finite[:, index] if index < self._channels else finite.mean(axis=1)
            self._sums[index] += of.sum(dtype=np.float64)
            self._squares[index] += float(np.dot(of, of))
        self._highest = np.maximum(self._highest, finite.max(axis=0))
        self._lowest = np.minimum(self._lowest, finite.min(axis=0))
        self.frames += len(piece)

    def choice(self) -> tuple[Channel, str]:
        """Return what `choose_channel` chooses by all frames so far."""
        if not self.frames:
            return None, ""
        powers = self._squares / self.frames - np.square(self._sums / self.frames)
        powers = np.maximum(powers, 0.0)
        peaks = (self._highest - self._lowest) / 2
        is_square = powers[:-1] > SQUARE_SHARE * np.square(peaks)
        return choose_channel(powers[:-1], float(powers[-1]), is_square)


def choose_channel(
    powers: NDArray[np.float64], mix_power: float, is_square: NDArray[np.bool_]
) -> tuple[Channel, str]:
    """Return the channel to use, None for the mean, and a notice where it is one alone.

    `powers` are those of the channels, without DC, `mix_power` that of their mean. Unrelated sounds
    give a mean of the power sum(powers) / n^2; far below that they cancel. `is_square` marks the
    channels that carry a square wave.
    """
    count, loudest = len(powers), _loudest(powers)
    if count < 2 or decibels(float(powers[loudest]) ** 0.5) <= FLOOR_DB:
        return None, ""
    if np.delete(powers, loudest).max() <= powers[loudest] * amplitude(-DEAD_DB) ** 2:
        return _alone(loudest, f"only channel {loudest + 1} of {count} carries sound")
    voices = np.where(is_square, 0.0, powers)
    voice = _loudest(voices)
    if is_square.any() and decibels(float(voices[voice]) ** 0.5) > FLOOR_DB:
        first = int(is_square.argmax()) + 1
        return _alone(voice, f"channel {first} carries a square wave such as timecode, not a voice")
    if mix_power < powers.sum() / count**2 * amplitude(-CANCEL_DB) ** 2:
        below_db = decibels(float(powers[loudest]) ** 0.5) - decibels(mix_power**0.5)
        lost = (
            f"its channels cancel each other out: their mix is {below_db:.0f} dB quieter than one"
        )
        return _alone(loudest, lost)
    return None, ""


def _loudest(powers: NDArray[np.float64]) -> int:
    """Return the first of those that differ from the loudest by rounding alone."""
    return int((powers >= ALIKE_SHARE * powers.max()).argmax())


def _alone(index: int, why: str) -> tuple[Channel, str]:
    return (
        index + 1,
        f"{why}: channel {index + 1} alone is used; set `channel` to another one, or to all",
    )

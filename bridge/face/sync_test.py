"""The sync test: a mouth that opens in the middle of every clap, so that sound and face can be
aligned.

It stands in for the network at its place in the stream. So sound, delays, rig maps and links are
those of a performance; only the generated face is replaced.
"""

from __future__ import annotations

from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Final

import numpy as np

from cstalk_bridge.audio.source import HOP_RATE_HZ, HOP_S, HOP_SAMPLES
from cstalk_bridge.models.board import CHANNEL_INDEX
from cstalk_bridge.rig.curves import neutral_board

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.face.inference import SteppedStream


JAW: Final = "CTRL_C_jaw.ty"

OPENING_S: Final = 0.040
"""How long the mouth takes to open. It is half open at the clap, and between two rows, 20 ms apart,
the curve is a line, so that this holds wherever the clap lies between them, with a look-ahead of
20 ms or more: without one it is up to 10 ms later."""

OPEN_S: Final = 0.200
"""From half open to half closed."""

CLAP_AMPLITUDE: Final = 0.1
"""Amplitude with which a clap begins, -20 dBFS."""

REST_S: Final = 0.4
"""Time after a clap in which there is no other."""

KEPT_CLAPS: Final = 8


class ClapStream:
    """A stream of the faces of claps, in place of those of `stream`, which goes on beside it.

    `channels` names the columns of a face. A row is at rest but for the jaw.
    """

    def __init__(self, stream: SteppedStream, channels: Sequence[str]) -> None:
        self._stream = stream
        self._rest = neutral_board()[[CHANNEL_INDEX[name] for name in channels]]
        self._jaw = list(channels).index(JAW)
        self._voices: dict[int, _Claps] = {}

    def step(
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        voices: Sequence[int],
        guards: ArrayLike,
        /,
    ) -> NDArray[np.float32]:
        """Return the faces of some voices after their next hops, as the network."""
        faces = self._stream.step(samples, emotion, lookahead_ms, voices, guards)
        faces = np.tile(self._rest, (*faces.shape[:2], 1))
        for place, voice in enumerate(voices):
            claps = self._voices.setdefault(voice, _Claps())
            claps.hear(samples[place])
            newest_s = claps.heard_s - 1e-3 * float(lookahead_ms[place])
            times_s = newest_s - HOP_S * np.arange(faces.shape[1] - 1, -1, -1)
            faces[place, :, self._jaw] = claps.openings(times_s)
        return faces

    def reset(self, voices: Sequence[int]) -> None:
        """Reset some voices, as after endless silence."""
        self._stream.reset(voices)
        for voice in voices:
            self._voices.pop(voice, None)

    def rearranged(self, voices: Sequence[int | None]) -> ClapStream:
        """Return a stream of these voices with their claps; None stands for a new one."""
        made = copy(self)
        made._go_on(voices)  # noqa: SLF001
        return made

    def _go_on(self, voices: Sequence[int | None]) -> None:
        self._stream = self._stream.rearranged(voices)
        self._voices = {
            place: self._voices[voice]
            for place, voice in enumerate(voices)
            if voice is not None and voice in self._voices
        }


class _Claps:
    """The last claps of a voice, by the time since its start."""

    def __init__(self) -> None:
        self.heard_s = 0.0
        self._begun_s: deque[float] = deque(maxlen=KEPT_CLAPS)

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Find where claps begin in the next samples, [hops * HOP_SAMPLES]."""
        for hop in samples.reshape(-1, HOP_SAMPLES):
            loud = np.flatnonzero(np.abs(hop) >= CLAP_AMPLITUDE)
            begins_s = self.heard_s + loud[0] / HOP_RATE_HZ if len(loud) else None
            self.heard_s += HOP_S
            if begins_s is None:
                continue
            if not self._begun_s or begins_s - self._begun_s[-1] >= REST_S:
                self._begun_s.append(begins_s)

    def openings(self, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return how far the mouth is open at some times, [times], 0..1."""
        after_s = times_s[:, None] - np.array(self._begun_s)
        opening = np.clip(after_s / OPENING_S + 0.5, 0.0, 1.0)
        closing = np.clip((OPEN_S - after_s) / OPENING_S + 0.5, 0.0, 1.0)
        return np.asarray(np.max(opening * closing, axis=1, initial=0.0), dtype=np.float32)

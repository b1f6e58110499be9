"""The generator: sound in, rows of face channels out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.emotions import (
    EMOTIONS,
    MAX_WEIGHT,
    MOUTH_GUARD,
    checked_guard,
    conditions,
    is_known_condition_size,
    knows_guard,
)
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import mono_16k
from cstalk_bridge.models.timing import (
    DEFAULT_LOOKAHEAD_MS,
    HOP_MS,
    HOP_SAMPLES,
    MAX_LOOKAHEAD_MS,
    SAMPLE_RATE_HZ,
    rows_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.models.cstalk.architecture import Description
    from cstalk_bridge.models.cstalk.streaming import Engine, Passes, Stream


class Generator:
    """A trained network, usually that of CSTalk; `cstalk_bridge.models.load_generator` opens it.

    `channels` are the board names of its outputs, `rate_hz` (50) its rows per second, `emotions`
    the names in the order of an emotion vector, `card` the provenance in the weights file.
    A baseline processes whole recordings only: `passes` and `stream` raise WeightsError.
    """

    sample_rate_hz = SAMPLE_RATE_HZ
    hop_samples = HOP_SAMPLES
    max_lookahead_ms = MAX_LOOKAHEAD_MS

    def __init__(self, engine: Engine, description: Description) -> None:
        is_known = description.emotions == EMOTIONS and is_known_condition_size(
            description.architecture.emotions
        )
        if not is_known or description.channels != AUDIO_DRIVEN:
            raise WeightsError(
                "the weights were made for other emotions or channels than this version's"
            )
        self.engine = engine
        self.channels = description.channels
        self.emotions = description.emotions
        self.rate_hz = description.rate_hz
        self.card = description.card

    @property
    def device(self) -> str:
        """Where it runs: `cpu` or `cuda`."""
        return self.engine.device

    @property
    def window_hops(self) -> int:
        """Hops of sound that a row depends on."""
        return self.engine.architecture.window_hops

    @property
    def knows_guard(self) -> bool:
        """Whether it has a mouth guard; without one only the default is accepted."""
        return knows_guard(self._conditions)

    def check_guard(self, mouth_guard: ArrayLike) -> None:
        """Raise ValueError for a mouth guard that it does not support, as all methods here do."""
        checked_guard(mouth_guard, self._conditions)

    def emotion_vector(self, emotion: Mapping[str, float] | str | None) -> NDArray[np.float32]:
        """Return the weights of `emotion` in `emotions` order, float32 [emotions].

        A name alone has weight 1. ValueError names every unknown emotion and every weight out of
        range.
        """
        given = {emotion: 1.0} if isinstance(emotion, str) else emotion or {}
        faults = [f"no emotion {name!r}" for name in given if name not in self.emotions]
        faults += [
            f"weight {weight:g} of {name} is not from 0 to {MAX_WEIGHT:g}"
            for name, weight in given.items()
            if not 0.0 <= weight <= MAX_WEIGHT
        ]
        if faults:
            raise ValueError(f"{'; '.join(faults)}; there are {', '.join(self.emotions)}")
        return np.array([given.get(name, 0.0) for name in self.emotions], dtype=np.float32)

    def generate(
        self,
        samples: ArrayLike,
        rate_hz: int,
        emotion: Mapping[str, float] | str | None = None,
        lookahead_ms: float = DEFAULT_LOOKAHEAD_MS,
        mouth_guard: float = MOUTH_GUARD,
    ) -> NDArray[np.float32]:
        """Return the face of a whole recording, float32 [time, channels].

        `samples` is [time] mono or [time, sources], floats -1..1 or integer PCM, at any `rate_hz`
        from 8 to 192 kHz (ValueError as `cstalk_bridge.models.features.mono_16k`).
        `emotion` is a name, at weight 1, or weights 0..1.5 by name. `mouth_guard` is the share of
        the emotion's mouth posture that full speech suppresses, 0..1. `lookahead_ms` is 0..240 and
        is rounded to the nearest whole hop of 20 ms, halves to the even hop (30 and 50 give 40).
        Row i is the face of audio time i/50 s: the delay of the look-ahead is removed. A recording
        of n seconds gives ceil(50 n) rows.
        """
        sound = mono_16k(samples, rate_hz)
        emotions = np.tile(self.emotion_vector(emotion), (rows_of(len(sound)), 1))
        return self.generate_batch([sound], [emotions], lookahead_ms, mouth_guard)[0]

    def generate_batch(
        self,
        sounds: Sequence[NDArray[np.float32]],
        emotions: Sequence[NDArray[np.float32]],
        lookahead_ms: float = DEFAULT_LOOKAHEAD_MS,
        mouth_guard: ArrayLike = MOUTH_GUARD,
    ) -> list[NDArray[np.float32]]:
        """Return the faces of several recordings at once, float32 [rows, channels] each.

        Each of `sounds` is mono [time] at 16 kHz and gives `rows_of` its samples; `emotions` are
        the weights of each row, [rows, emotions], `mouth_guard` one for all or one for each. The
        batch takes as long as its longest recording.
        """
        self.check_guard(mouth_guard)
        rows = [rows_of(len(sound)) for sound in sounds]
        longest = max(rows, default=0)
        if not longest:
            return [np.zeros((0, len(self.channels)), dtype=np.float32) for _ in sounds]
        padded = np.zeros((len(sounds), longest * HOP_SAMPLES), dtype=np.float32)
        weights = np.zeros((len(sounds), longest, len(self.emotions)), dtype=np.float32)
        for place, (sound, emotion) in enumerate(zip(sounds, emotions, strict=True)):
            padded[place, : len(sound)] = sound
            weights[place, : len(emotion)] = emotion
            if len(emotion):
                weights[place, len(emotion) :] = emotion[-1]
        inputs = conditions(weights, mouth_guard, self._conditions)
        faces = self.engine.faces(padded, inputs, self.delay_hops(lookahead_ms))
        return [face[:count] for face, count in zip(faces, rows, strict=True)]

    def passes(
        self,
        emotions: NDArray[np.float32],
        lookahead_ms: float = DEFAULT_LOOKAHEAD_MS,
        mouth_guard: ArrayLike = MOUTH_GUARD,
    ) -> Passes[Any]:
        """Return an object that processes recordings piece by piece, in bounded memory.

        `emotions` is float32 [batch, rows, emotions], at least one row; `mouth_guard` one for all
        or one for each recording.
        """
        inputs = conditions(emotions, mouth_guard, self._conditions)
        return self.engine.passes(inputs, self.delay_hops(lookahead_ms))

    def stream(self, subjects: int) -> Stream:
        """Return a stream for `subjects` voices: cached on a CPU, a sliding window on a GPU."""
        return self.engine.stream(subjects)

    @property
    def _conditions(self) -> int:
        return self.engine.architecture.emotions

    def delay_hops(self, lookahead_ms: float) -> int:
        """Return the look-ahead in whole hops, the nearest; ValueError outside 0..240 ms."""
        if not 0 <= lookahead_ms <= MAX_LOOKAHEAD_MS:
            raise ValueError(
                f"look-ahead {lookahead_ms:g} ms: must be from 0 to {MAX_LOOKAHEAD_MS} ms"
            )
        return round(lookahead_ms / HOP_MS)

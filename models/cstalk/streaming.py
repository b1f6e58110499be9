"""How a generator runs: engines, streams hop by hop, and passes over recordings. Free of torch.

Several voices run in one batch. `CachedStream` keeps what each layer still needs of the past;
`cstalk_bridge.models.cstalk.torch_engine.WindowStream` keeps the sound and runs the whole window
each time (one graph launch on a GPU). Both equal the offline pass within 1e-4 while emotion and
look-ahead stay as they are; after a change the window answers at once with the new ones, the caches
within one window.

A pass takes many hops of a recording at once; the network's past goes from one pass to the next.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from cstalk_bridge.models.emotions import MOUTH_GUARD, conditions
from cstalk_bridge.models.timing import HOP_MS, HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cstalk_bridge.models.cstalk.architecture import NetworkSizes

    Floats = NDArray[np.float32]

    Delays = NDArray[np.int64]


Past = TypeVar("Past")
"""The state that a network keeps between hops; its type is private to the network."""


class CachedNetwork(Protocol, Generic[Past]):
    """A generator network that advances by any number of hops and returns its state."""

    conditions: int
    """Length of a condition vector: the emotion weights and, where it has one, the guard."""

    def silent_past(self, conditions: Floats, delay_hops: Delays) -> Past:
        """Return the state after endless digital silence.

        `conditions` is float32 [voices, conditions], `delay_hops` [voices].
        """

    def advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, past: Past
    ) -> tuple[Floats, Past]:
        """Return the face after each hop, float32 [voices, hops, channels], and the new past.

        `samples` is float32 [voices, hops * HOP_SAMPLES], finite; `conditions` [voices, hops,
        conditions]. What follows a hop is the face of the time at which it ends, less the delay;
        each value is within its channel's range.
        """

    def chosen(self, past: Past, voices: Sequence[int]) -> Past:
        """Return the past of some voices."""

    def put(self, past: Past, voices: Sequence[int], new: Past) -> None:
        """Write the past of some voices into that of all."""


class Engine(ABC):
    """A generator's network on a device."""

    device: str
    """`cpu` or `cuda`."""
    name: str
    """The library and its version."""
    notice: str = ""
    """A sentence for the user; empty as a rule."""
    architecture: NetworkSizes
    pass_rows: int
    """Rows of one pass, of all recordings of a batch together: enough to fill a GPU, or what
    stays in a processor's cache."""
    is_same_in_batches: bool = True
    """Whether a face is the same to the last bit whatever recordings share its batch."""

    @abstractmethod
    def passes(self, conditions: Floats, delay_hops: int) -> Passes[Any]:
        """Return an object that processes recordings piece by piece; `conditions` as in `faces`.

        WeightsError for a network that cannot stream.
        """

    @abstractmethod
    def stream(self, voices: int) -> Stream:
        """Return a stream of so many voices; WeightsError for a network that cannot stream."""

    def faces(self, sound: Floats, conditions: Floats, delay_hops: int) -> Floats:
        """Return the faces of recordings of equal length, float32 [batch, rows, channels].

        `sound` is [batch, rows * HOP_SAMPLES] at 16 kHz, `conditions` [batch, rows, conditions];
        before and after a recording there is silence.
        """
        passes = self.passes(conditions, delay_hops)
        return np.concatenate([*passes.process(sound), *passes.finish()], axis=1)


class Stream(ABC):
    """Several voices, each with a state of fixed size.

    `conditions` is the length of the network's condition vector.
    """

    def __init__(self, conditions: int) -> None:
        self._conditions = conditions

    def step(
        self,
        samples: NDArray[np.float32],
        emotion: NDArray[np.float32],
        lookahead_ms: NDArray[np.float32],
        voices: Sequence[int],
        mouth_guard: ArrayLike = MOUTH_GUARD,
    ) -> NDArray[np.float32]:
        """Process the next hops of some voices; return their faces, float32 [voices, n, channels].

        `samples` is [voices, hops * 320] at 16 kHz, one hop or more, of which what is not finite
        counts as silence, `emotion` weights [voices, emotions], `lookahead_ms` [voices] in 0..240,
        rounded to whole hops, `mouth_guard` one for all or [voices], 0..1 (ValueError as
        `cstalk_bridge.models.emotions` says). The n rows are those after the last n hops; after a
        voice was taken up to stream time T, its row is its face of T - look-ahead. A `CachedStream`
        makes one for each hop, a window the newest alone.
        """
        # One NaN would stay in the state for ever.
        is_finite = np.isfinite(samples)
        finite = samples if is_finite.all() else np.where(is_finite, samples, np.float32(0.0))
        delays = np.rint(np.asarray(lookahead_ms) / HOP_MS).astype(np.int64)
        inputs = conditions(emotion, mouth_guard, self._conditions)
        return self._advance(finite, inputs, delays, list(voices))

    @abstractmethod
    def reset(self, voices: Sequence[int]) -> None:
        """Reset some voices, as after endless silence."""

    @abstractmethod
    def rearranged(self, voices: Sequence[int | None]) -> Stream:
        """Return a stream of these voices with their past; None stands for a new one.

        This stream is not to be used any more.
        """

    @abstractmethod
    def _advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, voices: list[int]
    ) -> Floats:
        """Return the faces of `voices` after their next hops; arguments as in `CachedNetwork`."""


class CachedStream(Stream, Generic[Past]):
    """A stream that caches the past of each layer."""

    def __init__(self, network: CachedNetwork[Past], voices: int, past: Past | None = None) -> None:
        super().__init__(network.conditions)
        self._network = network
        self._all = list(range(voices))
        self._is_fresh = [True] * voices
        if past is None:
            nothing = np.zeros((voices, network.conditions), dtype=np.float32)
            past = network.silent_past(nothing, np.zeros(voices, dtype=np.int64))
        self._past = past

    def reset(self, voices: Sequence[int]) -> None:
        """Forget the past of some voices."""
        for voice in voices:
            self._is_fresh[voice] = True

    def rearranged(self, voices: Sequence[int | None]) -> CachedStream[Past]:
        """Return a stream of these voices; the past of a new one is made at its first step."""
        places = [0 if voice is None else voice for voice in voices]
        made = CachedStream(self._network, len(places), self._network.chosen(self._past, places))
        made._is_fresh = [voice is None or self._is_fresh[voice] for voice in voices]
        return made

    def _advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, voices: list[int]
    ) -> Floats:
        self._start_fresh(conditions, delay_hops, voices)
        hops = samples.shape[1] // HOP_SAMPLES
        rows = np.repeat(conditions[:, None], hops, axis=1)
        if voices == self._all:
            faces, self._past = self._network.advance(samples, rows, delay_hops, self._past)
            return faces
        past = self._network.chosen(self._past, voices)
        faces, past = self._network.advance(samples, rows, delay_hops, past)
        self._network.put(self._past, voices, past)
        return faces

    def _start_fresh(self, conditions: Floats, delay_hops: Delays, voices: list[int]) -> None:
        """Give voices that begin now the state after silence under their own emotion."""
        places = [place for place, voice in enumerate(voices) if self._is_fresh[voice]]
        if not places:
            return
        fresh = [voices[place] for place in places]
        silent = self._network.silent_past(conditions[places], delay_hops[places])
        self._network.put(self._past, fresh, silent)
        for voice in fresh:
            self._is_fresh[voice] = False


class Passes(Generic[Past]):
    """Several recordings of equal length, processed from their start.

    `conditions` is float32 [batch, rows, conditions], those of the network for each row to come;
    before its first sample each recording is silent. A pass computes at most `pass_rows` rows,
    of all recordings together, which bounds the memory.
    """

    def __init__(
        self,
        network: CachedNetwork[Past],
        conditions: Floats,
        delay_hops: int,
        pass_rows: int,
    ) -> None:
        self._network = network
        self._conditions = conditions
        self._delays = np.full(len(conditions), delay_hops, dtype=np.int64)
        self._rows = conditions.shape[1]
        self._row = -delay_hops
        self._most = max(1, pass_rows // len(conditions))
        # Output k is row k + 1 - delay: one hop of silence before makes row 0 the first.
        self._waiting = np.zeros((len(conditions), HOP_SAMPLES), dtype=np.float32)
        self._past = network.silent_past(conditions[:, 0], self._delays)

    def process(self, sound: Floats) -> Iterator[Floats]:
        """Process more sound, float32 [batch, samples], and yield the rows that are complete.

        Each is float32 [batch, n, channels]; all of them follow one another without a gap.
        """
        self._waiting = np.concatenate((self._waiting, sound), axis=1)
        while (hops := self._waiting.shape[1] // HOP_SAMPLES) > 0:
            now = min(hops, self._most, self._rows - self._row)
            if now <= 0:
                return
            samples, self._waiting = np.split(self._waiting, [now * HOP_SAMPLES], axis=1)
            rows, self._past = self._network.advance(
                samples, self._next_conditions(now), self._delays, self._past
            )
            early = max(0, -self._row)
            self._row += now
            if early < now:
                yield rows[:, early:]

    def finish(self) -> Iterator[Floats]:
        """Process silence up to the last row; yield as `process`."""
        missing = (self._rows - self._row) * HOP_SAMPLES - self._waiting.shape[1]
        if missing >= 0:
            yield from self.process(np.zeros((len(self._waiting), missing), dtype=np.float32))

    def _next_conditions(self, hops: int) -> Floats:
        places = np.clip(np.arange(self._row, self._row + hops), 0, self._rows - 1)
        return np.ascontiguousarray(self._conditions[:, places])

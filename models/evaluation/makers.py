"""What makes faces of sound, and the networks among it, offline or hop by hop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch

from models.emotions import EMOTIONS
from models.evaluation.hearing import hear
from models.evaluation.streaming import hop_durations_s, streamed
from models.generator import Generator
from models.network import PHONE_DELAY_HOPS
from models.network import Generator as Network
from models.timing import HOP_S
from models.weights_file import load_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.evaluation.recordings import Recording
    from models.training.rules import Segment
    from models.weights_file import Description


class Maker(Protocol):
    """Anything that gives a face for sound."""

    name: str

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return the face of a whole recording, [rows, 81] in `AUDIO_DRIVEN` order.

        `sound` is [time], mono, 16 kHz, -1..1; `emotions` the weights of each row,
        [rows, emotions]; row i is the face of audio time i/50 s.
        """


@runtime_checkable
class PhoneMaker(Protocol):
    """A maker that must be told the phones."""

    def faces_of_phones(
        self,
        sound: NDArray[np.float32],
        phones: Sequence[Segment],
        emotions: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return faces as `Maker.faces`; `phones` are `[start s, end s, phone]` in order."""


@runtime_checkable
class PhoneHearer(Protocol):
    """A maker whose encoder tells phones."""

    def phones(self, sound: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Return the phone heard at each row, [rows] (`models.training.phones`); None: cannot."""


@runtime_checkable
class Hopper(Protocol):
    """A maker that streams."""

    def hop_durations_s(
        self, sound: NDArray[np.float32], lookahead_ms: int, clock: Callable[[], float]
    ) -> list[float]:
        """Return how long each hop of `sound` took by `clock`, hop by hop."""


class NetworkMaker:
    """A network in a weights file; hop by hop where `streaming` (WeightsError: it cannot)."""

    def __init__(
        self, name: str, network: Any, description: Description, *, streaming: bool = False
    ) -> None:
        self.name = name
        self.streaming = streaming
        self.parameters = sum(p.numel() for p in network.parameters())
        self.sources = tuple(description.card.get("data", ()))
        self._network = network
        self._generator = Generator(network, description, torch.device("cpu"))
        self._can_stream = isinstance(network, Network)
        if streaming:
            self._generator.stream(1)

    @classmethod
    def open(cls, path: Path, *, streaming: bool = False) -> NetworkMaker:
        """Load a weights file; WeightsError says what is wrong with it."""
        network, description = load_network(path, torch.device("cpu"))
        return cls(path.stem, network, description, streaming=streaming)

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return the face of a whole recording, as `Maker.faces`."""
        if self.streaming:
            return streamed(self._generator, sound, emotions, lookahead_ms)
        return self._generator.generate_batch([sound], [emotions], lookahead_ms)[0]

    def phones(self, sound: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Return the phone heard at each row, [rows]."""
        window_hops = self._network.architecture.window_hops
        return ModuleMaker(self.name, self._network, window_hops).phones(sound)

    def hop_durations_s(
        self, sound: NDArray[np.float32], lookahead_ms: int, clock: Callable[[], float]
    ) -> list[float]:
        """Return how long each hop took; nothing of a network that cannot stream."""
        if not self._can_stream:
            return []
        return hop_durations_s(self._generator, sound, lookahead_ms, clock)


class ModuleMaker:
    """A network under training, or of another kind: it hears each recording whole, at one go.

    `network` has the `forward` and the `clamp` of `models.network.Generator`; `window_hops` is how
    much sound one of its rows hears.
    """

    def __init__(self, name: str, network: Any, window_hops: int) -> None:
        self.name = name
        self.parameters = sum(p.numel() for p in network.parameters())
        self._network = network
        self._window_hops = window_hops

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return the face of a whole recording, as `Maker.faces`."""
        delay_hops = round(lookahead_ms / (1000 * HOP_S))
        return hear(self._network, self._window_hops, sound, emotions, delay_hops)[0]

    def phones(self, sound: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Return the phone heard at each row, [rows]; None without a phone head."""
        nothing = np.zeros((1, len(EMOTIONS)), dtype=np.float32)
        _, logits = hear(self._network, self._window_hops, sound, nothing, PHONE_DELAY_HOPS)
        return None if logits is None else np.asarray(logits.argmax(1), dtype=np.int64)


def perform(
    maker: Maker,
    recording: Recording,
    lookahead_ms: int,
    emotion: Mapping[str, float] | None = None,
) -> NDArray[np.float32] | None:
    """Return the face of a recording under an emotion, weights by name (None: none at all).

    None where the maker needs phones that are not known.
    """
    emotions = np.zeros((recording.rows, len(EMOTIONS)), dtype=np.float32)
    for name, weight in (emotion or {}).items():
        emotions[:, EMOTIONS.index(name)] = weight
    if isinstance(maker, PhoneMaker):
        if recording.phones is None:
            return None
        return maker.faces_of_phones(recording.sound, recording.phones, emotions)
    return maker.faces(recording.sound, emotions, lookahead_ms)

"""What makes faces of sound, and the networks among it, offline or hop by hop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch

from models.baselines import NETWORKS
from models.emotions import EMOTIONS
from models.errors import WeightsError
from models.evaluation.hearing import heard_phones
from models.evaluation.streaming import hop_durations_s, streamed
from models.loading import generator_of
from models.teacher import Teacher
from models.weights_file import load_network

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.evaluation.recordings import Recording
    from models.face_network import FaceNetwork
    from models.training.segments import Segment
    from models.wav2vec.network import Wav2Vec
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
    """A network in a weights file; hop by hop where `streaming` (WeightsError: it cannot).

    `kind` is a name in `models.baselines.NETWORKS`, `sources` the data that trained it.
    """

    def __init__(
        self, name: str, network: FaceNetwork, description: Description, *, streaming: bool = False
    ) -> None:
        self.name = name
        self.kind = description.network
        self.streaming = streaming
        self.parameters = sum(p.numel() for p in network.parameters())
        if isinstance(network, Teacher):
            self.parameters += network.front_end_parameters
        self.sources = tuple(description.card.get("data", ()))
        self._network = network
        self._description = description
        self._generator = generator_of(network, description)
        if streaming:
            self._generator.stream(1)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        name: str | None = None,
        streaming: bool = False,
        front_end: Wav2Vec | None = None,
    ) -> NetworkMaker:
        """Load a weights file; a teacher's hears through `front_end`, others leave it alone.

        WeightsError says what is wrong with the file, or that the teacher lacks its front end.
        """
        network, description = load_network(path, torch.device("cpu"))
        if isinstance(network, Teacher):
            if front_end is None:
                raise WeightsError(
                    f"{path}: a teacher hears through wav2vec 2.0; name the checkpoint folder that"
                    " it was trained with (--wav2vec)"
                )
            network.attach(front_end)
        return cls(name or path.stem, network, description, streaming=streaming)

    @property
    def can_stream(self) -> bool:
        """Whether it can be heard hop by hop."""
        return NETWORKS[self.kind].streams

    def streamed(self) -> NetworkMaker:
        """Return the same network, hop by hop; WeightsError where it cannot."""
        return NetworkMaker(self.name, self._network, self._description, streaming=True)

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return the face of a whole recording, as `Maker.faces`."""
        if self.streaming:
            return streamed(self._generator, sound, emotions, lookahead_ms)
        return self._generator.generate_batch([sound], [emotions], lookahead_ms)[0]

    def phones(self, sound: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Return the phone heard at each row, [rows]."""
        return heard_phones(self._network, sound)

    def hop_durations_s(
        self, sound: NDArray[np.float32], lookahead_ms: int, clock: Callable[[], float]
    ) -> list[float]:
        """Return how long each hop took; nothing of a network that cannot stream."""
        if not self.can_stream:
            return []
        return hop_durations_s(self._generator, sound, lookahead_ms, clock)


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

"""Predictors of faces from sound, and networks as predictors.

A network receives whole recordings, or hops one by one as in the daemon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch

from cstalk_bridge.models.baselines import NETWORKS
from cstalk_bridge.models.baselines.teacher import Teacher
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import create_generator, load_network
from cstalk_bridge.models.timing import HOP_SAMPLES, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.architecture import Description
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.evaluation.recordings import Recording
    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.wav2vec import Wav2Vec


@torch.inference_mode()
def decoded_phones(network: FaceNetwork, sound: NDArray[np.float32]) -> NDArray[np.int64] | None:
    """Return the likeliest phone of each row, [rows], of mono 16 kHz sound [time].

    The recording is processed at once, with silence before and after. None where the network has no
    phone head.
    """
    sizes = network.architecture
    if not sizes.phones:
        return None
    rows = rows_of(len(sound))
    hops = sizes.window_hops + rows + network.phone_delay_hops - 1
    lead = network.history_samples + sizes.window_hops * HOP_SAMPLES
    padded = np.zeros(network.history_samples + hops * HOP_SAMPLES, dtype=np.float32)
    kept = min(len(sound), len(padded) - lead)
    padded[lead : lead + kept] = sound[:kept]
    # The encoder comes before emotion, so that can be anything.
    nothing = torch.zeros(1, sizes.emotions)
    delay = torch.full((1,), network.phone_delay_hops)
    _, logits = network(torch.from_numpy(padded)[None], nothing, delay)
    return None if logits is None else logits[0, :, logits.shape[2] - rows :].argmax(0).numpy()


WARM_UP_HOPS = 25
"""Hops before the measured ones, in which memory is allocated."""


def stream_recording(
    generator: Generator,
    sound: NDArray[np.float32],
    emotions: NDArray[np.float32],
    lookahead_ms: int,
) -> NDArray[np.float32]:
    """Return the face of a recording, [rows, channels], streamed hop by hop.

    Row i is the face of audio time i/50 s, as offline; `emotions` is [rows, emotions].
    """
    rows, delay = rows_of(len(sound)), generator.delay_hops(lookahead_ms)
    # After hop k the stream has received k + 1 hops and returns row k + 1 - delay.
    first = min(0, delay - 1)
    padded = np.zeros((rows + delay - first, HOP_SAMPLES), dtype=np.float32)
    padded.reshape(-1)[-first * HOP_SAMPLES :][: len(sound)] = sound
    stream = generator.stream(1)
    lookahead = np.array([lookahead_ms], dtype=np.float32)
    generated = np.zeros((rows, len(generator.channels)), dtype=np.float32)
    for number, hop in enumerate(padded):
        row = number + first + 1 - delay
        if row >= rows or not rows:
            break
        face = stream.step(hop[None], emotions[max(0, row)][None], lookahead, [0])
        if row >= 0:
            generated[row] = face[0, -1]
    return generated


def hop_durations_s(
    generator: Generator,
    sound: NDArray[np.float32],
    lookahead_ms: int,
    clock: Callable[[], float],
) -> list[float]:
    """Return how long each whole hop of `sound` took, without the first `WARM_UP_HOPS`."""
    stream = generator.stream(1)
    emotion = np.zeros((1, len(generator.emotions)), dtype=np.float32)
    lookahead = np.array([lookahead_ms], dtype=np.float32)
    durations_s = []
    for hop in sound[: len(sound) // HOP_SAMPLES * HOP_SAMPLES].reshape(-1, HOP_SAMPLES):
        start_s = clock()
        stream.step(hop[None], emotion, lookahead, [0])
        durations_s.append(clock() - start_s)
    return durations_s[WARM_UP_HOPS:]


class Predictor(Protocol):
    """Anything that returns a face for sound."""

    name: str

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return the face of a whole recording, [rows, 81] in `AUDIO_DRIVEN` order.

        `sound` is [time], mono, 16 kHz, -1..1; `emotions` the weights of each row,
        [rows, emotions]; row i is the face of audio time i/50 s.
        """


@runtime_checkable
class PhonePredictor(Protocol):
    """A predictor that needs the phones."""

    def faces_of_phones(
        self,
        sound: NDArray[np.float32],
        phones: Sequence[Segment],
        emotions: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return faces as `Predictor.faces`; `phones` are `[start s, end s, phone]` in order."""


@runtime_checkable
class PhoneDecoder(Protocol):
    """A predictor whose encoder decodes phones."""

    def phones(self, sound: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Return the phone of each row, [rows] (`cstalk_bridge.models.phones`); None without a
        phone head."""


@runtime_checkable
class StreamingPredictor(Protocol):
    """A predictor that streams."""

    def hop_durations_s(
        self, sound: NDArray[np.float32], lookahead_ms: int, clock: Callable[[], float]
    ) -> list[float]:
        """Return how long each hop of `sound` took by `clock`, in seconds."""


class NetworkPredictor:
    """A network in a weights file; hop by hop where `streaming` (WeightsError if it cannot).

    `kind` is a name in `cstalk_bridge.models.baselines.NETWORKS`, `sources` the data that trained
    it.
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
        self._generator = create_generator(network, description)
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
    ) -> NetworkPredictor:
        """Load a weights file; a teacher gets the `front_end`, other networks ignore it.

        WeightsError says what is wrong with the file, or that a teacher lacks its front end.
        """
        network, description = load_network(path, torch.device("cpu"))
        if isinstance(network, Teacher):
            if front_end is None:
                raise WeightsError(
                    f"{path}: a teacher needs wav2vec 2.0; name the checkpoint folder that"
                    " it was trained with (--wav2vec)"
                )
            network.attach(front_end)
        return cls(name or path.stem, network, description, streaming=streaming)

    @property
    def can_stream(self) -> bool:
        """Whether it can run hop by hop."""
        return NETWORKS[self.kind].streams

    def streamed(self) -> NetworkPredictor:
        """Return the same network, hop by hop; WeightsError where it cannot stream."""
        return NetworkPredictor(self.name, self._network, self._description, streaming=True)

    def faces(
        self, sound: NDArray[np.float32], emotions: NDArray[np.float32], lookahead_ms: int
    ) -> NDArray[np.float32]:
        """Return the face of a whole recording, as `Predictor.faces`."""
        if self.streaming:
            return stream_recording(self._generator, sound, emotions, lookahead_ms)
        return self._generator.generate_batch([sound], [emotions], lookahead_ms)[0]

    def phones(self, sound: NDArray[np.float32]) -> NDArray[np.int64] | None:
        """Return the phone of each row, [rows]."""
        return decoded_phones(self._network, sound)

    def hop_durations_s(
        self, sound: NDArray[np.float32], lookahead_ms: int, clock: Callable[[], float]
    ) -> list[float]:
        """Return how long each hop took, in seconds; empty for a network that cannot stream."""
        if not self.can_stream:
            return []
        return hop_durations_s(self._generator, sound, lookahead_ms, clock)


def predict_face(
    predictor: Predictor,
    recording: Recording,
    lookahead_ms: int,
    emotion: Mapping[str, float] | None = None,
) -> NDArray[np.float32] | None:
    """Return the face of a recording under an emotion, weights by name (None: no weights).

    None where the predictor needs phones and the recording has none.
    """
    emotions = np.zeros((recording.rows, len(EMOTIONS)), dtype=np.float32)
    for name, weight in (emotion or {}).items():
        emotions[:, EMOTIONS.index(name)] = weight
    if isinstance(predictor, PhonePredictor):
        if recording.phones is None:
            return None
        return predictor.faces_of_phones(recording.sound, recording.phones, emotions)
    return predictor.faces(recording.sound, emotions, lookahead_ms)

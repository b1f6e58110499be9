"""The generator in ONNX Runtime, on one thread of a CPU. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from models.engine import Engine
from models.graph import build_conditions, build_hops
from models.mel import HISTORY_SAMPLES, log_mel
from models.onnx_graph import STEM_REACH, open_session, tap_inputs
from models.passes import Passes
from models.streams import CachedStream
from models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.architecture import Architecture
    from models.engine import Delays, Floats
    from models.weights_file import Description, Tensors


@dataclass(slots=True)
class OnnxPast:
    """What the hops before leave: the end of their sound, its features, and the blocks' inputs.

    `sound` is float32 [voices, HISTORY_SAMPLES], `features` [voices, 2, FEATURES], `blocks`
    [voices, past_hops, width].
    """

    sound: Floats
    features: Floats
    blocks: Floats

    @property
    def parts(self) -> tuple[Floats, Floats, Floats]:
        """All of it."""
        return self.sound, self.features, self.blocks


class OnnxNetwork:
    """The cached network: features in NumPy, all else in one call of ONNX Runtime.

    RuntimeError where ONNX Runtime does not take its graph.
    """

    def __init__(
        self,
        architecture: Architecture,
        tensors: Tensors,
        limits: tuple[NDArray[np.float32], NDArray[np.float32]],
    ) -> None:
        self.architecture = architecture
        self.conditions = architecture.emotions
        self._conditions = open_session(build_conditions(architecture, tensors))
        self._hops = open_session(build_hops(architecture, tensors, *limits))
        self._films: tuple[Floats, Delays, Floats] | None = None
        """The conditions and delays of the last call, and what they do."""
        stacks = architecture.encoder_dilations + architecture.decoder_dilations
        self._dilations = frozenset({1, *stacks})

    def silent_past(self, conditions: Floats, delay_hops: Delays) -> OnnxPast:
        """Return what endless digital silence leaves behind, as `CachedNetwork` says."""
        voices, hops = len(conditions), self.architecture.window_hops
        silence = np.zeros((1, HISTORY_SAMPLES + HOP_SAMPLES), dtype=np.float32)
        features = log_mel(silence)
        nothing = OnnxPast(
            np.zeros((voices, HISTORY_SAMPLES), dtype=np.float32),
            np.tile(features, (voices, STEM_REACH, 1)),
            np.zeros(
                (voices, self.architecture.past_hops, self.architecture.width), dtype=np.float32
            ),
        )
        # After a whole window of silence nothing is left of what was before it.
        window = np.zeros((voices, hops * HOP_SAMPLES), dtype=np.float32)
        told = np.repeat(conditions[:, None], hops, axis=1)
        return self.advance(window, told, delay_hops, nothing)[1]

    def advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, past: OnnxPast
    ) -> tuple[Floats, OnnxPast]:
        """Return the faces after each hop and the new past, as `CachedNetwork` says."""
        sound = np.concatenate((past.sound, samples), axis=1)
        features = np.concatenate((past.features, log_mel(sound)), axis=1)
        taps = tap_inputs(conditions.shape[1], self._dilations)
        films = self._films_of(conditions, delay_hops)
        inputs = {"features": features, "films": films, "past": past.blocks, **taps}
        faces, blocks = self._hops.run(None, inputs)
        return faces, OnnxPast(sound[:, -HISTORY_SAMPLES:], features[:, -STEM_REACH:], blocks)

    def _films_of(self, conditions: Floats, delay_hops: Delays) -> Floats:
        """Return what conditions and delays do to the decoder; made anew where they changed."""
        first = conditions[:, :1]
        if (conditions == first).all():
            conditions = first
        last = self._films
        if last and np.array_equal(last[0], conditions) and np.array_equal(last[1], delay_hops):
            return last[2]
        inputs = {"conditions": np.ascontiguousarray(conditions), "delay_hops": delay_hops}
        (films,) = self._conditions.run(None, inputs)
        self._films = (conditions.copy(), delay_hops.copy(), films)
        return np.asarray(films)

    def chosen(self, past: OnnxPast, voices: Sequence[int]) -> OnnxPast:
        """Return the past of some voices."""
        return OnnxPast(*(part[list(voices)] for part in past.parts))

    def put(self, past: OnnxPast, voices: Sequence[int], new: OnnxPast) -> None:
        """Write the past of some voices into that of all."""
        for whole, part in zip(past.parts, new.parts, strict=True):
            whole[list(voices)] = part


class OnnxEngine(Engine):
    """A generator on the CPU."""

    device = "cpu"
    pass_rows = 750

    def __init__(self, tensors: Tensors, description: Description) -> None:
        minimum, maximum = (np.array(limit, dtype=np.float32) for limit in description.limits)
        architecture = description.streaming_architecture
        self.architecture = architecture
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        self._network = OnnxNetwork(architecture, tensors, (minimum, maximum))

    def passes(self, conditions: Floats, delay_hops: int) -> Passes[OnnxPast]:
        """Return what takes recordings piece by piece."""
        return Passes(self._network, conditions, delay_hops, self.pass_rows)

    def stream(self, voices: int) -> CachedStream[OnnxPast]:
        """Return a stream of so many voices."""
        return CachedStream(self._network, voices)

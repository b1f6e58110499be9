"""ONNX Runtime as the engine of a generator, on one thread of a CPU and without torch.

A network is two graphs: the effect of emotion and look-ahead, and the hops. They are built in
memory from the tensors of a weights file, in some 30 ms, so that no exported copy can be stale.
`cstalk_bridge.models.cstalk.network` computes the same in torch; a test holds the two within 1e-5
of each other. All values are float32 unless noted.

The condition graph, needed only where its inputs change:
    conditions  [voices, n, conditions]       emotion weights and mouth guard; n is 1 or hops
    delay_hops  [voices] int64                look-ahead in hops
    -> films    [voices, n, blocks * 2 * width]  scale and shift of every decoder block

The hop graph of a network on log-mel features; that of one on a speech encoder is in
`cstalk_bridge.models.cstalk.encoder_graph`:
    features    [voices, 2 + hops, FEATURES]  log-mel features, those of the two hops before first
    films       [voices, 1 or hops, blocks * 2 * width]
    past        [voices, past_hops, width]    what the blocks keep of the hops before
    taps_D      [hops, KERNEL] int64          for each dilation D, as `tap_inputs` has them
    -> faces    [voices, hops, channels]      within the channels' ranges
    -> new_past as `past`, for the next call
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import TensorProto

from cstalk_bridge.models.cstalk.architecture import (
    ENCODER_DELAYS,
    EncoderArchitecture,
)
from cstalk_bridge.models.cstalk.encoder_graph import (
    KEPT_COLUMNS,
    build_encoder_hops,
    encoder_inputs,
    kept_of,
)
from cstalk_bridge.models.cstalk.onnx_graph import (
    STEM_REACH,
    Graph,
    GraphBlock,
    open_session,
    tap_inputs,
    taps_values,
    tensor_info,
)
from cstalk_bridge.models.cstalk.streaming import CachedStream, Engine, Passes
from cstalk_bridge.models.features import (
    ENCODER_HISTORY_SAMPLES,
    FEATURES,
    HISTORY_SAMPLES,
    KERNEL,
    WINDOW_HOPS,
    columns_of,
    log_mel,
)
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from onnx import ModelProto

    from cstalk_bridge.models.cstalk.architecture import Architecture, Description, Tensors
    from cstalk_bridge.models.cstalk.streaming import CachedNetwork, Delays, Floats


def build_conditions(
    architecture: Architecture | EncoderArchitecture, tensors: Mapping[str, NDArray[np.float32]]
) -> ModelProto:
    """Return the condition graph. KeyError for a tensor that is missing."""
    graph, a = Graph(tensors), architecture
    emotion = graph.linear("conditions", "emotion")
    delay = graph.node("Gather", graph.constant(tensors["delay.weight"]), "delay_hops")
    row = graph.node("Unsqueeze", delay, graph.integers(1))
    n = graph.node("Shape", "conditions", start=1, end=2)
    one = graph.integers(1)
    rows = graph.node("Expand", row, graph.node("Concat", one, n, one, axis=0))
    both = graph.node("Concat", emotion, rows, axis=2)
    films = graph.linear(graph.node("Gelu", graph.linear(both, "condition")), "films")
    # Scale is one more than what the network says, and takes the bias of the convolution along.
    unit, bias = np.zeros((2, len(a.decoder_dilations), 2, a.width), dtype=np.float32)
    unit[:, 0] = 1.0
    bias[:, 1] = [
        tensors[f"decoder.{number}.conv.conv.bias"] for number in range(len(a.decoder_dilations))
    ]
    scaled = graph.node("Add", films, graph.constant(unit.reshape(-1)))
    pairs = graph.node("Reshape", scaled, graph.integers(0, 0, -1, 2, a.width))
    scales = graph.node("Slice", pairs, *map(graph.integers, (0, 1, 3)))
    moved = graph.node("Mul", scales, graph.constant(bias))
    summed = graph.node("Add", pairs, moved)
    graph.node("Reshape", summed, graph.integers(0, 0, -1), output="films")
    return graph.model(
        [
            tensor_info("conditions", ("voices", "n", a.emotions)),
            tensor_info("delay_hops", ("voices",), TensorProto.INT64),
        ],
        [tensor_info("films", ("voices", "n", _film_size(a)))],
    )


def build_hops(
    architecture: Architecture,
    tensors: Mapping[str, NDArray[np.float32]],
    minimum: NDArray[np.float32],
    maximum: NDArray[np.float32],
) -> ModelProto:
    """Return the hop graph; `minimum` and `maximum` are [channels]. KeyError as above."""
    graph, a = Graph(tensors), architecture
    encoder = [
        GraphBlock(f"encoder.{number}", dilation)
        for number, dilation in enumerate(a.encoder_dilations)
    ]
    reaches = [(KERNEL - 1) * dilation for dilation in a.encoder_dilations + a.decoder_dilations]
    pasts = graph.split("past", reaches, axis=1)
    films = graph.split("films", [a.width] * (2 * len(a.decoder_dilations)), axis=2)
    decoder = [
        GraphBlock(f"decoder.{number}", dilation, (films[2 * number], films[2 * number + 1]))
        for number, dilation in enumerate(a.decoder_dilations)
    ]
    stem = graph.linear(graph.taps("features", 1, FEATURES), "stem.conv")
    x = graph.stack(stem, [*encoder, *decoder], pasts)
    y = graph.linear(graph.node("Gelu", x), "head")
    lowest = graph.node("Max", y, graph.constant(minimum))
    graph.node("Min", lowest, graph.constant(maximum), output="faces")
    return graph.model(
        [
            tensor_info("features", ("voices", "input_hops", FEATURES)),
            tensor_info("films", ("voices", "n", _film_size(a))),
            tensor_info("past", ("voices", a.past_hops, a.width)),
            *taps_values({1, *a.encoder_dilations, *a.decoder_dilations}),
        ],
        [
            tensor_info("faces", ("voices", "hops", a.channels)),
            tensor_info("new_past", ("voices", a.past_hops, a.width)),
        ],
    )


def _film_size(architecture: Architecture | EncoderArchitecture) -> int:
    return 2 * architecture.width * len(architecture.decoder_dilations)


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


class Films:
    """What conditions and delays do to a decoder; made anew where they changed.

    `graph` is the condition graph. RuntimeError where ONNX Runtime does not take it.
    """

    def __init__(self, graph: ModelProto) -> None:
        self._session = open_session(graph)
        self._last: tuple[Floats, Delays, Floats] | None = None
        """The conditions and delays of the last call, and what they do."""

    def of(self, conditions: Floats, delay_hops: Delays) -> Floats:
        """Return the films of `conditions` [voices, hops, conditions], for one hop or for each."""
        first = conditions[:, :1]
        if (conditions == first).all():
            conditions = first
        last = self._last
        if last and np.array_equal(last[0], conditions) and np.array_equal(last[1], delay_hops):
            return last[2]
        inputs = {"conditions": np.ascontiguousarray(conditions), "delay_hops": delay_hops}
        (films,) = self._session.run(None, inputs)
        self._last = (conditions.copy(), delay_hops.copy(), films)
        return np.asarray(films)


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
        self._films = Films(build_conditions(architecture, tensors))
        self._hops = open_session(build_hops(architecture, tensors, *limits))
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
        repeated = np.repeat(conditions[:, None], hops, axis=1)
        return self.advance(window, repeated, delay_hops, nothing)[1]

    def advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, past: OnnxPast
    ) -> tuple[Floats, OnnxPast]:
        """Return the faces after each hop and the new past, as `CachedNetwork` says."""
        sound = np.concatenate((past.sound, samples), axis=1)
        features = np.concatenate((past.features, log_mel(sound)), axis=1)
        taps = tap_inputs(conditions.shape[1], self._dilations)
        films = self._films.of(conditions, delay_hops)
        inputs = {"features": features, "films": films, "past": past.blocks, **taps}
        faces, blocks = self._hops.run(None, inputs)
        return faces, OnnxPast(sound[:, -HISTORY_SAMPLES:], features[:, -STEM_REACH:], blocks)

    def chosen(self, past: OnnxPast, voices: Sequence[int]) -> OnnxPast:
        """Return the past of some voices."""
        return OnnxPast(*(part[list(voices)] for part in past.parts))

    def put(self, past: OnnxPast, voices: Sequence[int], new: OnnxPast) -> None:
        """Write the past of some voices into that of all."""
        for whole, part in zip(past.parts, new.parts, strict=True):
            whole[list(voices)] = part


@dataclass(slots=True)
class EncoderPast:
    """What the hops before leave, an array for each thing, all with the voices first.

    The end of their sound [voices, ENCODER_HISTORY_SAMPLES], its last log-mel columns, then what
    the graph keeps (`cstalk_bridge.models.cstalk.encoder_graph.kept_of`).
    """

    parts: list[Floats]


class EncoderOnnxNetwork:
    """The cached network: log-mel in NumPy, all else in one call of ONNX Runtime.

    RuntimeError where ONNX Runtime does not take its graph.
    """

    def __init__(
        self,
        architecture: EncoderArchitecture,
        tensors: Tensors,
        limits: tuple[Floats, Floats],
        *,
        in_int8: bool = False,
    ) -> None:
        self.architecture = architecture
        self.conditions = architecture.emotions
        self._films = Films(build_conditions(architecture, tensors))
        self._hops = open_session(
            build_encoder_hops(architecture, tensors, *limits, in_int8=in_int8)
        )
        self._dilations = frozenset({1, *architecture.decoder_dilations})
        self._kept = kept_of(architecture)
        self._silent: dict[int, list[Floats]] = {}
        """What endless silence leaves behind by the encoder's delay, but for the decoder's part."""
        self._settled: tuple[tuple[bytes, bytes], EncoderPast] | None = None
        """The last requested conditions and delays, and the past after silence under them."""

    def silent_past(self, conditions: Floats, delay_hops: Delays) -> EncoderPast:
        """Return what endless digital silence leaves behind, as `CachedNetwork` says."""
        key = (conditions.tobytes(), delay_hops.tobytes())
        if self._settled is None or self._settled[0] != key:
            voices = [self._silence(ENCODER_DELAYS[delay]) for delay in delay_hops]
            parts = [np.concatenate(part) for part in zip(*voices, strict=True)]
            # After the decoder's reach of silence no earlier input has any effect.
            hops = self.architecture.past_hops + STEM_REACH + 1
            past = self._after_silence(EncoderPast(parts), conditions, delay_hops, hops)
            self._settled = (key, past)
        return EncoderPast([part.copy() for part in self._settled[1].parts])

    def _silence(self, delay: int) -> list[Floats]:
        if delay not in self._silent:
            silence = np.zeros((1, ENCODER_HISTORY_SAMPLES + 2 * HOP_SAMPLES), dtype=np.float32)
            nothing = [
                silence[:, :ENCODER_HISTORY_SAMPLES],
                columns_of(silence)[:, :KEPT_COLUMNS],
                *(np.zeros((1, *kept.shape), dtype=np.float32) for kept in self._kept),
            ]
            conditions = np.zeros((1, self.conditions), dtype=np.float32)
            hops = np.array([ENCODER_DELAYS.index(delay)], dtype=np.int64)
            settled = self._after_silence(EncoderPast(nothing), conditions, hops, WINDOW_HOPS)
            self._silent[delay] = settled.parts
        return self._silent[delay]

    def _after_silence(
        self, past: EncoderPast, conditions: Floats, delay_hops: Delays, hops: int
    ) -> EncoderPast:
        silence = np.zeros((len(conditions), hops * HOP_SAMPLES), dtype=np.float32)
        repeated = np.repeat(conditions[:, None], hops, axis=1)
        return self.advance(silence, repeated, delay_hops, past)[1]

    def advance(
        self, samples: Floats, conditions: Floats, delay_hops: Delays, past: EncoderPast
    ) -> tuple[Floats, EncoderPast]:
        """Return the faces after each hop and the new past, as `CachedNetwork` says."""
        tail, columns, *kept = past.parts
        sound = np.concatenate((tail, samples), axis=1)
        columns = np.concatenate((columns, columns_of(sound)), axis=1)
        hops = conditions.shape[1]
        delays = tuple(ENCODER_DELAYS[delay] for delay in delay_hops.tolist())
        inputs = {
            "columns": columns,
            "films": self._films.of(conditions, delay_hops),
            **encoder_inputs(hops, delays),
            **tap_inputs(hops, self._dilations),
            **{one.name: array for one, array in zip(self._kept, kept, strict=True)},
        }
        faces, *new = self._hops.run(None, inputs)
        ends = sound[:, -ENCODER_HISTORY_SAMPLES:], columns[:, -KEPT_COLUMNS:]
        return faces, EncoderPast([*ends, *new])

    def chosen(self, past: EncoderPast, voices: Sequence[int]) -> EncoderPast:
        """Return the past of some voices."""
        return EncoderPast([part[list(voices)] for part in past.parts])

    def put(self, past: EncoderPast, voices: Sequence[int], new: EncoderPast) -> None:
        """Write the past of some voices into that of all."""
        for whole, part in zip(past.parts, new.parts, strict=True):
            whole[list(voices)] = part


def network_on_cpu(
    architecture: Architecture | EncoderArchitecture,
    tensors: Tensors,
    limits: tuple[NDArray[np.float32], NDArray[np.float32]],
    *,
    in_int8: bool = False,
) -> CachedNetwork[Any]:
    """Return the network of whichever architecture, a speech encoder perhaps in 8 bits.

    RuntimeError as theirs.
    """
    if isinstance(architecture, EncoderArchitecture):
        return EncoderOnnxNetwork(architecture, tensors, limits, in_int8=in_int8)
    return OnnxNetwork(architecture, tensors, limits)


ATTENDED_ROWS = 300
"""Rows of one pass of a network that attends: scores grow with their square."""


class OnnxEngine(Engine):
    """A generator on the CPU.

    Of a network on a speech encoder a single voice is streamed in 8 bits: what a hop costs is to
    read the weights, and they are a quarter as large. Its mouths stay within a few tenths of a
    millimetre of those of recordings. Several voices share a reading, and would share the scale to
    which their sound is rounded; they are streamed like recordings.
    """

    device = "cpu"
    pass_rows = 750

    def __init__(self, tensors: Tensors, description: Description) -> None:
        minimum, maximum = (np.array(limit, dtype=np.float32) for limit in description.limits)
        architecture = description.streaming_architecture
        self.architecture = architecture
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        is_encoder = isinstance(architecture, EncoderArchitecture)
        if is_encoder:
            self.pass_rows = ATTENDED_ROWS
            self.is_same_in_batches = False
        open_network = partial(network_on_cpu, architecture, tensors, (minimum, maximum))
        self._single_voice = open_network(in_int8=is_encoder)
        self._float = self._single_voice
        # Only where another is still to be opened do the tensors stay in memory.
        self._open_float = open_network if is_encoder else None

    def _float_network(self) -> CachedNetwork[Any]:
        """Return the network of recordings and of several voices; opened at its first use."""
        open_float = self._open_float
        if open_float is not None:  # several threads may open it; the last one's stays
            self._float = open_float()
            self._open_float = None
        return self._float

    def passes(self, conditions: Floats, delay_hops: int) -> Passes[Any]:
        """Return what takes recordings piece by piece."""
        return Passes(self._float_network(), conditions, delay_hops, self.pass_rows)

    def stream(self, voices: int) -> CachedStream[Any]:
        """Return a stream of so many voices."""
        network = self._single_voice if voices == 1 else self._float_network()
        return CachedStream(network, voices)

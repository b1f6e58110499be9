"""The CSTalk generator as two ONNX graphs: what emotion and look-ahead do, and the hops.

They are built in memory from the tensors of a weights file, in some 30 ms, so that no exported copy
can be stale, and without torch. `models.network` computes the same in torch; a test holds the two
within 1e-5 of each other. All values are float32 unless said.

The condition graph, needed only where its inputs change:
    conditions  [voices, n, conditions]       emotion weights and mouth guard; n is 1 or hops
    delay_hops  [voices] int64                look-ahead in hops
    -> films    [voices, n, blocks * 2 * width]  scale and shift of every decoder block

The hop graph:
    features    [voices, 2 + hops, FEATURES]  log-mel features, those of the two hops before first
    films       [voices, 1 or hops, blocks * 2 * width]
    past        [voices, past_hops, width]    what the blocks keep of the hops before
    taps_D      [hops, KERNEL] int64          for each dilation D, as `tap_inputs` has them
    -> faces    [voices, hops, channels]      within the channels' ranges
    -> new_past as `past`, for the next call
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from models.architecture import KERNEL
from models.mel import FEATURES
from models.onnx_graph import Block, Graph, taps_values, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto

    from models.architecture import Architecture


def build_conditions(
    architecture: Architecture, tensors: Mapping[str, NDArray[np.float32]]
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
            value("conditions", ("voices", "n", a.emotions)),
            value("delay_hops", ("voices",), TensorProto.INT64),
        ],
        [value("films", ("voices", "n", _film_size(a)))],
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
        Block(f"encoder.{number}", dilation) for number, dilation in enumerate(a.encoder_dilations)
    ]
    reaches = [(KERNEL - 1) * dilation for dilation in a.encoder_dilations + a.decoder_dilations]
    pasts = graph.split("past", reaches, axis=1)
    films = graph.split("films", [a.width] * (2 * len(a.decoder_dilations)), axis=2)
    decoder = [
        Block(f"decoder.{number}", dilation, (films[2 * number], films[2 * number + 1]))
        for number, dilation in enumerate(a.decoder_dilations)
    ]
    stem = graph.linear(graph.taps("features", 1, FEATURES), "stem.conv")
    x = graph.stack(stem, [*encoder, *decoder], pasts)
    y = graph.linear(graph.node("Gelu", x), "head")
    lowest = graph.node("Max", y, graph.constant(minimum))
    graph.node("Min", lowest, graph.constant(maximum), output="faces")
    return graph.model(
        [
            value("features", ("voices", "heard_hops", FEATURES)),
            value("films", ("voices", "n", _film_size(a))),
            value("past", ("voices", a.past_hops, a.width)),
            *taps_values({1, *a.encoder_dilations, *a.decoder_dilations}),
        ],
        [
            value("faces", ("voices", "hops", a.channels)),
            value("new_past", ("voices", a.past_hops, a.width)),
        ],
    )


def _film_size(architecture: Architecture) -> int:
    return 2 * architecture.width * len(architecture.decoder_dilations)

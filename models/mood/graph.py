"""The network that hears moods as an ONNX graph, built in memory from the tensors of its file.

`models.mood.network` computes the same in torch.

    inputs      [voices, 2 + hops, INPUTS]    what is heard, from the two hops before the first on
    past        [voices, past, width]         what the blocks keep of the hops before
    taps_D      [hops, KERNEL] int64          for each dilation D, as `tap_inputs` has them
    -> odds     [voices, hops, emotions]      evidence
    -> new_past as `past`, for the next call
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.emotions import EMOTIONS
from models.mood.sizes import INPUTS
from models.onnx_graph import Block, Graph, taps_values, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from onnx import ModelProto

    from models.mood.sizes import Sizes


def build(sizes: Sizes, tensors: Mapping[str, NDArray[np.float32]]) -> ModelProto:
    """Return the graph. KeyError for a tensor that is missing."""
    graph = Graph(tensors)
    blocks = [Block(f"blocks.{n}", dilation) for n, dilation in enumerate(sizes.dilations)]
    pasts = graph.split("past", sizes.reaches, axis=1)
    stem = graph.linear(graph.taps("inputs", 1, INPUTS), "stem.conv")
    graph.linear(graph.stack(stem, blocks, pasts), "head", output="odds")
    past = ("voices", sum(sizes.reaches), sizes.width)
    return graph.model(
        [
            value("inputs", ("voices", "heard_hops", INPUTS)),
            value("past", past),
            *taps_values({1, *sizes.dilations}),
        ],
        [value("odds", ("voices", "hops", len(EMOTIONS))), value("new_past", past)],
    )

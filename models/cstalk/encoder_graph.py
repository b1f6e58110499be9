"""The generator on the speech encoder as an ONNX graph of its hops.

The condition graph is that of `cstalk_bridge.models.cstalk.onnx_engine`. The graph:
    columns       [voices, 3 + 2 * hops, ENCODER_BANDS]  log-mel; three columns are of hops before
    encoder_delay [voices] int64                    the encoder's delay
    conv_taps     [2 * hops + 1, 3] int64           as `encoder_inputs` makes it, like all up to
    stride_taps   [hops, 3] int64                   `places_L`
    queries_L     [voices, hops, MOST_RIGHT + hops]  1 where a row's own inputs wait, by layer L
    places_L      [voices, hops, KEPT_KEYS + hops] int64  a key's place in the scores by distance
    keys_L, values_L  [voices, heads, KEPT_KEYS, width of a head]  of the hops before
    waiting_L     [voices, MOST_RIGHT, 2 * ear_width]   inputs and queries of the hops before
    rows          [voices, 2, ear_width]            features of the two hops before
    films, past, taps_D                             as in `cstalk_bridge.models.cstalk.onnx_engine`
    -> faces, new_past, new_rows, new_keys_L, new_values_L, new_waiting_L
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper

from cstalk_bridge.models.cstalk.onnx_graph import (
    FUSED,
    HOP_COUNTS,
    Graph,
    GraphBlock,
    taps_values,
    tensor_info,
)
from cstalk_bridge.models.features import (
    COLUMNS,
    ENCODER_BANDS,
    KERNEL,
    MOST_RIGHT,
    REACH_HOPS,
    RIGHT_HOPS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto, ValueInfoProto

    from cstalk_bridge.models.cstalk.architecture import EncoderArchitecture

    Floats = NDArray[np.float32]


KEPT_KEYS = REACH_HOPS + MOST_RIGHT
KEPT_COLUMNS = 3
HIDDEN = -1e4
HIDDEN_PLACE = REACH_HOPS + 1 + MOST_RIGHT
OFFSET_SCALE = 16.0
NORM_EPSILON = 1e-5
LARGEST_INT8 = 127


@lru_cache(HOP_COUNTS)
def encoder_inputs(hops: int, delays: tuple[int, ...]) -> Mapping[str, NDArray[np.generic]]:
    """Return the inputs with the positions of taps, rows and keys of `hops`, by name.

    `delays` are the encoder's, of each voice.
    """
    first = np.arange(hops, dtype=np.int64)
    taps = np.arange(KERNEL, dtype=np.int64)
    inputs: dict[str, NDArray[np.generic]] = {
        "encoder_delay": np.array(delays, dtype=np.int64),
        "conv_taps": np.arange(COLUMNS * hops + 1, dtype=np.int64)[:, None] + taps,
        "stride_taps": COLUMNS * first[:, None] + taps,
    }
    keys = np.arange(-KEPT_KEYS, hops, dtype=np.int64)
    for layer in range(len(RIGHT_HOPS[0])):
        right = np.array([RIGHT_HOPS[delay][layer] for delay in delays], dtype=np.int64)
        own = first[None] - right[:, None]
        distance = keys - own[..., None]
        seen = (distance >= -REACH_HOPS) & (distance <= right[:, None, None])
        inputs[f"places_{layer}"] = np.where(seen, distance + REACH_HOPS, HIDDEN_PLACE)
        waiting = np.arange(-MOST_RIGHT, hops)
        inputs[f"queries_{layer}"] = (waiting == own[..., None]).astype(np.float32)
    return inputs


def build_encoder_hops(
    architecture: EncoderArchitecture,
    tensors: Mapping[str, Floats],
    minimum: Floats,
    maximum: Floats,
    *,
    in_int8: bool = False,
) -> ModelProto:
    """Return the graph; `minimum` and `maximum` are [channels]. KeyError for a missing tensor.

    `in_int8`: the encoder's products are taken in 8 bits, weights by output, inputs call by call.
    """
    graph, a = EncoderGraph(tensors, architecture, in_int8=in_int8), architecture
    x = graph.front()
    for layer in range(a.ear_layers):
        x = graph.attention(x, layer)
    centred = graph.node("Sub", x, graph.constant(tensors["ear.mean"]))
    rows = graph.node("Div", centred, graph.constant(tensors["ear.spread"]))
    features = graph.node("Concat", "rows", rows, axis=1)
    ends = map(graph.integers, (1 - KERNEL, np.iinfo(np.int64).max, 1))
    graph.node("Slice", features, *ends, output="new_rows")
    reaches = [(KERNEL - 1) * dilation for dilation in a.decoder_dilations]
    pasts = graph.split("past", reaches, axis=1)
    films = graph.split("films", [a.width] * (2 * len(a.decoder_dilations)), axis=2)
    blocks = [
        GraphBlock(f"decoder.{number}", dilation, (films[2 * number], films[2 * number + 1]))
        for number, dilation in enumerate(a.decoder_dilations)
    ]
    stem = graph.linear(graph.taps(features, 1, a.ear_width), "stem.conv")
    y = graph.linear(graph.node("Gelu", graph.stack(stem, blocks, pasts)), "head")
    lowest = graph.node("Max", y, graph.constant(minimum))
    graph.node("Min", lowest, graph.constant(maximum), output="faces")
    return graph.model(_inputs(a), _outputs(a))


@dataclass(frozen=True, slots=True)
class Kept:
    """One of the things that the graph takes and renews: its name and the shape of one voice's."""

    name: str
    shape: tuple[int, ...]


def kept_of(architecture: EncoderArchitecture) -> list[Kept]:
    """Return what the graph keeps from call to call, in the order of its outputs."""
    a = architecture
    keys = (a.ear_heads, KEPT_KEYS, a.ear_width // a.ear_heads)
    layers = [
        kept
        for layer in range(a.ear_layers)
        for kept in (
            Kept(f"keys_{layer}", keys),
            Kept(f"values_{layer}", keys),
            Kept(f"waiting_{layer}", (MOST_RIGHT, 2 * a.ear_width)),
        )
    ]
    return [
        Kept("past", (a.past_hops, a.width)),
        Kept("rows", (KERNEL - 1, a.ear_width)),
        *layers,
    ]


def _inputs(a: EncoderArchitecture) -> list[ValueInfoProto]:
    films = 2 * a.width * len(a.decoder_dilations)
    per_layer = [
        named
        for layer in range(a.ear_layers)
        for named in (
            tensor_info(f"queries_{layer}", ("voices", "hops", "waiting")),
            tensor_info(f"places_{layer}", ("voices", "hops", "keys"), TensorProto.INT64),
        )
    ]
    return [
        tensor_info("columns", ("voices", "columns", ENCODER_BANDS)),
        tensor_info("encoder_delay", ("voices",), TensorProto.INT64),
        tensor_info("conv_taps", ("conv_rows", KERNEL), TensorProto.INT64),
        tensor_info("stride_taps", ("hops", KERNEL), TensorProto.INT64),
        tensor_info("films", ("voices", "n", films)),
        *per_layer,
        *(tensor_info(kept.name, ("voices", *kept.shape)) for kept in kept_of(a)),
        *taps_values({1, *a.decoder_dilations}),
    ]


def _outputs(a: EncoderArchitecture) -> list[ValueInfoProto]:
    return [
        tensor_info("faces", ("voices", "hops", a.channels)),
        *(tensor_info(f"new_{kept.name}", ("voices", *kept.shape)) for kept in kept_of(a)),
    ]


class EncoderGraph(Graph):
    """A graph that has the parts of the speech encoder, under the names `ear.*`."""

    def __init__(
        self,
        tensors: Mapping[str, Floats],
        architecture: EncoderArchitecture,
        *,
        in_int8: bool = False,
    ) -> None:
        super().__init__(tensors)
        self._sizes = architecture
        self._in_int8 = in_int8

    def linear(self, x: str, name: str, output: str = "") -> str:
        """Return the product with its bias, in 8 bits where configured."""
        if not self._in_int8 or not name.startswith("ear."):
            return super().linear(x, name, output)
        weight = self._tensors[f"{name}.weight"]
        if weight.ndim == 3:
            weight = weight.transpose(0, 2, 1).reshape(len(weight), -1)
        scale = np.maximum(np.abs(weight).max(1), 1e-8) / LARGEST_INT8
        rounded = np.rint(weight / scale[:, None]).astype(np.int8)
        made = output or self._fresh()
        inputs = [x, self.constant(rounded.T), self.constant(scale.astype(np.float32)), ""]
        inputs.append(self.constant(self._tensors[f"{name}.bias"]))
        self._nodes.append(helper.make_node("DynamicQuantizeMatMul", inputs, [made], domain=FUSED))
        return made

    def front(self) -> str:
        """Return the convolutions' rows, the vector of each voice's delay added."""
        width = self._sizes.ear_width
        first = self._front_layer("columns", "conv_taps", "ear.conv1", ENCODER_BANDS)
        rows = self._front_layer(first, "stride_taps", "ear.conv2", width)
        places = self._tensors["ear.place"] + self._tensors["ear.delays"]
        place = self.node("Gather", self.constant(places), "encoder_delay")
        return self.node("Add", rows, self.node("Unsqueeze", place, self.integers(1)))

    def attention(self, x: str, layer: int) -> str:
        """Return a layer's rows; what it keeps for the next call becomes outputs."""
        name = f"ear.layers.{layer}"
        projected = self.linear(self._levelled(x, f"{name}.attention_norm"), f"{name}.projection")
        query, key, value_ = self.split(projected, [self._sizes.ear_width] * 3, axis=2)
        both = self.node("Concat", x, query, axis=2)
        waiting = self.node("Concat", f"waiting_{layer}", both, axis=1)
        self._keep(waiting, 1, MOST_RIGHT, f"new_waiting_{layer}")
        chosen = self.node("MatMul", f"queries_{layer}", waiting)
        x, query = self.split(chosen, [self._sizes.ear_width] * 2, axis=2)
        seen = []
        for kind, new in (("keys", key), ("values", value_)):
            whole = self.node("Concat", f"{kind}_{layer}", self._apart(new), axis=2)
            self._keep(whole, 2, KEPT_KEYS, f"new_{kind}_{layer}")
            seen.append(whole)
        found = self._attended(self._apart(query), seen, layer)
        x = self.node("Add", x, self.linear(found, f"{name}.mix"))
        inner = self.linear(self._levelled(x, f"{name}.inner_norm"), f"{name}.inner")
        return self.node("Add", x, self.linear(self.node("Gelu", inner), f"{name}.outer"))

    def _attended(self, query: str, seen: list[str], layer: int) -> str:
        a = self._sizes
        scale = (a.ear_width // a.ear_heads) ** -0.5
        name = self._fresh()
        self._nodes.append(
            helper.make_node(
                "FusedMatMul", [query, seen[0]], [name], domain=FUSED, transB=1, alpha=scale
            )
        )
        offset = OFFSET_SCALE * self._tensors[f"ear.layers.{layer}.offset"].T
        table = np.concatenate((offset, np.full((1, a.ear_heads), HIDDEN, dtype=np.float32)))
        added = self.node("Gather", self.constant(table), f"places_{layer}")
        scores = self.node("Add", name, self.node("Transpose", added, perm=[0, 3, 1, 2]))
        found = self.node("MatMul", self.node("Softmax", scores, axis=-1), seen[1])
        together = self.node("Transpose", found, perm=[0, 2, 1, 3])
        return self.node("Reshape", together, self.integers(0, 0, a.ear_width))

    def _apart(self, x: str) -> str:
        heads = self.node("Reshape", x, self.integers(0, 0, self._sizes.ear_heads, -1))
        return self.node("Transpose", heads, perm=[0, 2, 1, 3])

    def _keep(self, x: str, axis: int, count: int, output: str) -> None:
        ends = [self.integers(end) for end in (-count, np.iinfo(np.int64).max, axis)]
        self.node("Slice", x, *ends, output=output)

    def _front_layer(self, x: str, taps: str, name: str, width: int) -> str:
        gathered = self.node("Gather", x, taps, axis=1)
        flat = self.node("Reshape", gathered, self.integers(0, 0, KERNEL * width))
        return self.node("Gelu", self.linear(flat, name))

    def _levelled(self, x: str, name: str) -> str:
        parts = [self.constant(self._tensors[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.node("LayerNormalization", x, *parts, axis=-1, epsilon=NORM_EPSILON)

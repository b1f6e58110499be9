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
    taps_D      [hops, 3] int64               for each dilation D, as `tap_places` has them
    -> faces    [voices, hops, channels]      within the channels' ranges
    -> new_past as `past`, for the next call

Time runs along the second axis and channels along the last, so that every convolution is one
matrix product whose weights ONNX Runtime lays out once. A node costs more than its arithmetic
where caches are cold, as they are every 20 ms, so there are as few as possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models.architecture import KERNEL, NORM_FLOOR
from models.mel import FEATURES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto, ValueInfoProto

    from models.architecture import Architecture

OPSET = 20
"""The first with Gelu; ONNX Runtime has it since 1.17."""
IR_VERSION = 9
FUSED = "com.microsoft"
"""The domain of ONNX Runtime's own operators: a residual, its bias and the norm after it in one."""
STEM_REACH = KERNEL - 1
"""Hops before the first which the stem hears."""
_END = np.iinfo(np.int64).max


def tap_places(hops: int, dilation: int) -> NDArray[np.int64]:
    """Return the places of the taps of each of `hops` outputs, oldest first, [hops, KERNEL]."""
    return np.arange(hops)[:, None] + dilation * np.arange(KERNEL)


def build_conditions(
    architecture: Architecture, tensors: Mapping[str, NDArray[np.float32]]
) -> ModelProto:
    """Return the condition graph. KeyError for a tensor that is missing."""
    graph, a = _Graph(tensors), architecture
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
            _value("conditions", ("voices", "n", a.emotions)),
            _value("delay_hops", ("voices",), TensorProto.INT64),
        ],
        [_value("films", ("voices", "n", _film_size(a)))],
    )


def build_hops(
    architecture: Architecture,
    tensors: Mapping[str, NDArray[np.float32]],
    minimum: NDArray[np.float32],
    maximum: NDArray[np.float32],
) -> ModelProto:
    """Return the hop graph; `minimum` and `maximum` are [channels]. KeyError as above."""
    graph, a = _Graph(tensors), architecture
    stacks = [("encoder", dilation) for dilation in a.encoder_dilations]
    stacks += [("decoder", dilation) for dilation in a.decoder_dilations]
    numbers = [*range(len(a.encoder_dilations)), *range(len(a.decoder_dilations))]
    names = [f"{stack}.{number}" for (stack, _), number in zip(stacks, numbers, strict=True)]
    reaches = [(KERNEL - 1) * dilation for _, dilation in stacks]
    pasts = graph.split("past", reaches, axis=1)
    films = iter(graph.split("films", [a.width] * (2 * len(a.decoder_dilations)), axis=2))
    x = graph.linear(graph.taps("features", 1, FEATURES), "stem.conv")
    normed = graph.normed(x, names[0])
    kept = []
    for place, (name, (stack, dilation)) in enumerate(zip(names, stacks, strict=True)):
        whole = graph.node("Concat", pasts[place], normed, axis=1)
        kept.append(graph.last(whole, reaches[place]))
        taps = graph.taps(whole, dilation, a.width)
        if stack == "encoder":
            y = graph.linear(taps, f"{name}.conv.conv")
        else:
            y = graph.product(taps, f"{name}.conv.conv")
            y = graph.node("Add", graph.node("Mul", y, next(films)), next(films))
        mixed = graph.product(graph.node("Gelu", y), f"{name}.mix")
        bias = tensors[f"{name}.mix.bias"]
        if place + 1 < len(names):
            normed, x = graph.residual(mixed, x, bias, f"{names[place + 1]}.gain")
        else:
            x = graph.node("Add", graph.node("Add", mixed, graph.constant(bias)), x)
    graph.node("Concat", *kept, axis=1, output="new_past")
    y = graph.linear(graph.node("Gelu", x), "head")
    lowest = graph.node("Max", y, graph.constant(minimum))
    graph.node("Min", lowest, graph.constant(maximum), output="faces")
    dilations = sorted({1, *(dilation for _, dilation in stacks)})
    return graph.model(
        [
            _value("features", ("voices", "heard_hops", FEATURES)),
            _value("films", ("voices", "n", _film_size(a))),
            _value("past", ("voices", a.past_hops, a.width)),
            *(_value(_taps(d), ("hops", KERNEL), TensorProto.INT64) for d in dilations),
        ],
        [
            _value("faces", ("voices", "hops", a.channels)),
            _value("new_past", ("voices", a.past_hops, a.width)),
        ],
    )


def _film_size(architecture: Architecture) -> int:
    return 2 * architecture.width * len(architecture.decoder_dilations)


def _taps(dilation: int) -> str:
    return f"taps_{dilation}"


def _value(
    name: str, shape: Sequence[str | int], element: int = TensorProto.FLOAT
) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


class _Graph:
    """Nodes and constants under construction; methods add nodes and return their output's name."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._tensors = tensors
        self._count = 0

    def model(self, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> ModelProto:
        """Return what was added as a model."""
        made = helper.make_graph(self._nodes, "cstalk", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(FUSED, 1)]
        return helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add a constant."""
        name = self._fresh()
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        """Add a constant list of integers."""
        return self.constant(np.array(values, dtype=np.int64))

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node with one output, which gets a name of its own unless one is given."""
        name = output or self._fresh()
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Return `x` in parts of those sizes along an axis."""
        parts = [self._fresh() for _ in sizes]
        self._nodes.append(helper.make_node("Split", [x, self.integers(*sizes)], parts, axis=axis))
        return parts

    def last(self, x: str, hops: int) -> str:
        """Return the last hops of `x`."""
        ends = (self.integers(end) for end in (-hops, _END, 1))
        return self.node("Slice", x, *ends)

    def taps(self, x: str, dilation: int, width: int) -> str:
        """Return the taps of each convolution output side by side, oldest first."""
        gathered = self.node("Gather", x, _taps(dilation), axis=1)
        return self.node("Reshape", gathered, self.integers(0, 0, KERNEL * width))

    def product(self, x: str, name: str) -> str:
        """Return `x` times the weights of that name, a tap after the other."""
        weight = self._tensors[f"{name}.weight"]
        if weight.ndim == 3:
            weight = weight.transpose(0, 2, 1).reshape(len(weight), -1)
        return self.node("MatMul", x, self.constant(weight.T))

    def linear(self, x: str, name: str) -> str:
        """Return the product with its bias, where it has one."""
        y = self.product(x, name)
        bias = self._tensors.get(f"{name}.bias")
        return y if bias is None else self.node("Add", y, self.constant(bias))

    def normed(self, x: str, name: str) -> str:
        """Return `x` with every hop at unit power times a gain, as ONNX Runtime fuses it."""
        square = self.node("Pow", x, self.constant(np.full(1, 2.0, dtype=np.float32)))
        power = self.node("ReduceMean", square, self.integers(-1), keepdims=1)
        floor = self.constant(np.full(1, NORM_FLOOR, dtype=np.float32))
        root = self.node("Sqrt", self.node("Add", power, floor))
        scaled = self.node("Div", x, root)
        return self.node("Mul", scaled, self.constant(self._tensors[f"{name}.gain"][:, 0]))

    def residual(
        self, x: str, before: str, bias: NDArray[np.float32], gain: str
    ) -> tuple[str, str]:
        """Return the sum of `x`, what was before and a bias: normed as above, and as it is."""
        normed, total = self._fresh(), self._fresh()
        inputs = [x, before, self.constant(self._tensors[gain][:, 0]), self.constant(bias)]
        self._nodes.append(
            helper.make_node(
                "SkipSimplifiedLayerNormalization",
                inputs,
                [normed, "", "", total],
                domain=FUSED,
                epsilon=NORM_FLOOR,
            )
        )
        return normed, total

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

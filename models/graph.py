"""The CSTalk generator as an ONNX graph that advances by any number of hops.

It is built in memory from the tensors of a weights file, in some 30 ms, so that no exported copy
can be stale, and without torch. `models.network` computes the same in torch; a test holds the two
within 1e-5 of each other.

Inputs (float32 unless said):
    features    [voices, 2 + hops, FEATURES]  log-mel features, those of the two hops before first
    conditions  [voices, hops, conditions]    emotion weights and mouth guard of each hop
    delay_hops  [voices] int64                look-ahead in hops
    past        [voices, past_hops, width]    what the blocks keep of the hops before
Outputs:
    faces       [voices, hops, channels]      within the channels' ranges
    new_past    as `past`, for the next call

Time runs along the second axis and channels along the last, so that every convolution is one
matrix product whose weights ONNX Runtime lays out once.
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
STEM_REACH = KERNEL - 1
"""Hops before the first which the stem hears."""
_END = np.iinfo(np.int64).max


def build_graph(
    architecture: Architecture,
    tensors: Mapping[str, NDArray[np.float32]],
    minimum: NDArray[np.float32],
    maximum: NDArray[np.float32],
) -> ModelProto:
    """Return the graph of a network of that architecture with the tensors of its weights file.

    `minimum` and `maximum` are [channels]. KeyError for a tensor that is missing.
    """
    graph = _Graph(tensors)
    a = architecture
    x = graph.linear(graph.taps("features", 1), "stem.conv")
    place = 0
    kept = []
    films = graph.films(len(a.decoder_dilations))
    stacks = (("encoder", a.encoder_dilations), ("decoder", a.decoder_dilations))
    for stack, dilations in stacks:
        for number, dilation in enumerate(dilations):
            reach = (KERNEL - 1) * dilation
            past = graph.slice("past", place, place + reach)
            film = films[number] if stack == "decoder" else None
            x, new = graph.block(x, f"{stack}.{number}", dilation, past, film)
            kept.append(new)
            place += reach
    graph.node("Concat", *kept, axis=1, output="new_past")
    y = graph.linear(graph.node("Gelu", x), "head")
    lowest = graph.node("Max", y, graph.constant(minimum))
    graph.node("Min", lowest, graph.constant(maximum), output="faces")
    inputs = [
        _value("features", ("voices", "heard_hops", FEATURES)),
        _value("conditions", ("voices", "hops", a.emotions)),
        _value("delay_hops", ("voices",), TensorProto.INT64),
        _value("past", ("voices", a.past_hops, a.width)),
    ]
    outputs = [
        _value("faces", ("voices", "hops", a.channels)),
        _value("new_past", ("voices", a.past_hops, a.width)),
    ]
    made = helper.make_graph(graph.nodes, "cstalk", inputs, outputs, graph.constants)
    return helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )


def _value(
    name: str, shape: Sequence[str | int], element: int = TensorProto.FLOAT
) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


class _Graph:
    """Nodes and constants under construction; methods add nodes and return their output's name."""

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._tensors = tensors
        self._count = 0

    def constant(self, values: NDArray[np.generic]) -> str:
        """Add a constant."""
        name = self._fresh()
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node with one output, which gets a name of its own unless one is given."""
        name = output or self._fresh()
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def slice(self, x: str, start: int, end: int) -> str:
        """Return the hops from `start` to before `end`; negative ones count from the last."""
        return self.node("Slice", x, self._integers(start), self._integers(end), self._integers(1))

    def taps(self, x: str, dilation: int) -> str:
        """Return the taps of each convolution output side by side, oldest first."""
        reach = (KERNEL - 1) * dilation
        first = (tap * dilation for tap in range(KERNEL))
        parts = [self.slice(x, at, at - reach if at < reach else _END) for at in first]
        return self.node("Concat", *parts, axis=2)

    def linear(self, x: str, name: str) -> str:
        """Return `x` times the weights of that name, a tap after the other, plus the bias."""
        weight = self._tensors[f"{name}.weight"]
        if weight.ndim == 3:
            weight = weight.transpose(0, 2, 1).reshape(len(weight), -1)
        y = self.node("MatMul", x, self.constant(weight.T))
        bias = self._tensors.get(f"{name}.bias")
        return y if bias is None else self.node("Add", y, self.constant(bias))

    def block(
        self, x: str, name: str, dilation: int, past: str, film: tuple[str, str] | None
    ) -> tuple[str, str]:
        """Return the output of a residual block and what it keeps for the next call."""
        whole = self.node("Concat", past, self._normed(x, f"{name}.gain"), axis=1)
        kept = self.slice(whole, -(KERNEL - 1) * dilation, _END)
        y = self.linear(self.taps(whole, dilation), f"{name}.conv.conv")
        if film is not None:
            scale, shift = film
            y = self.node("Add", self.node("Mul", y, scale), shift)
        mixed = self.linear(self.node("Gelu", y), f"{name}.mix")
        return self.node("Add", x, mixed), kept

    def films(self, blocks: int) -> list[tuple[str, str]]:
        """Return scale and shift of each decoder block, by emotion and delay."""
        emotion = self.linear("conditions", "emotion")
        delay = self.node("Gather", self.constant(self._tensors["delay.weight"]), "delay_hops")
        row = self.node("Unsqueeze", delay, self._integers(1))
        hops = self.node("Shape", "conditions", start=1, end=2)
        one = self._integers(1)
        rows = self.node("Expand", row, self.node("Concat", one, hops, one, axis=0))
        both = self.node("Concat", emotion, rows, axis=2)
        condition = self.node("Gelu", self.linear(both, "condition"))
        films = self.linear(condition, "films")
        parts = [self._fresh() for _ in range(2 * blocks)]
        self.nodes.append(helper.make_node("Split", [films], parts, axis=2, num_outputs=len(parts)))
        unit = self.constant(np.ones(1, dtype=np.float32))
        scales = [self.node("Add", part, unit) for part in parts[::2]]
        return list(zip(scales, parts[1::2], strict=True))

    def _normed(self, x: str, gain: str) -> str:
        """Return `x` with every hop at unit power, in the form that ONNX Runtime fuses."""
        square = self.node("Pow", x, self.constant(np.full(1, 2.0, dtype=np.float32)))
        power = self.node("ReduceMean", square, self._integers(-1), keepdims=1)
        floor = self.constant(np.full(1, NORM_FLOOR, dtype=np.float32))
        root = self.node("Sqrt", self.node("Add", power, floor))
        scaled = self.node("Div", x, root)
        return self.node("Mul", scaled, self.constant(self._tensors[gain][:, 0]))

    def _integers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

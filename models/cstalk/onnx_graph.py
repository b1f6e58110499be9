"""Builds ONNX graphs of the parts of our causal networks, and opens their sessions.

All values are float32 unless stated otherwise. Time runs along the second axis and channels along
the last, so that every convolution is one matrix product whose weights ONNX Runtime lays out once.
A node costs more than its arithmetic where caches are cold, as they are every 20 ms, so there are
as few as possible.

Every graph with a convolution of dilation D has an input `taps_D`, int64 [hops, KERNEL], as
`tap_inputs` makes it for so many hops.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as refusals

from cstalk_bridge.models.cstalk.architecture import NORM_FLOOR
from cstalk_bridge.models.features import KERNEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto, ValueInfoProto


OPSET = 20
"""The first with Gelu; ONNX Runtime has it since 1.17."""
IR_VERSION = 9
FUSED = "com.microsoft"
"""The domain of ONNX Runtime's own operators: a residual, its bias and the norm after it in one."""
STEM_REACH = KERNEL - 1
"""Hops before the first that a stem, of dilation 1, depends on."""
HOP_COUNTS = 16
"""Hop counts whose taps are cached: a live run uses one or two."""
ERRORS_ONLY = 3
SESSION_ERRORS = (
    refusals.Fail,
    refusals.InvalidArgument,
    refusals.InvalidGraph,
    refusals.InvalidProtobuf,
    refusals.NotImplemented,
    refusals.RuntimeException,
)
"""What ONNX Runtime raises for a graph that it cannot compute."""
_END = np.iinfo(np.int64).max


def open_session(model: ModelProto) -> onnxruntime.InferenceSession:
    """Return a session on one CPU thread; RuntimeError where ONNX Runtime rejects the graph."""
    options = onnxruntime.SessionOptions()
    # For so small a network a second thread costs more than it saves, above all on a busy machine;
    # a single thread is the caller's own.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.enable_cpu_mem_arena = False
    try:
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except SESSION_ERRORS as error:
        raise RuntimeError(f"it refuses the network: {error}") from error


@lru_cache(HOP_COUNTS)
def tap_inputs(hops: int, dilations: frozenset[int]) -> Mapping[str, NDArray[np.int64]]:
    """Return the places of the taps of each of `hops` outputs, oldest first, by input name."""
    # Where NumPy is older than 2, its own integers have 32 bits on Windows.
    first, places = (np.arange(count, dtype=np.int64) for count in (hops, KERNEL))
    return {taps_name(dilation): first[:, None] + dilation * places for dilation in dilations}


def taps_name(dilation: int) -> str:
    """Return the name of the input with the taps of a dilation."""
    return f"taps_{dilation}"


def taps_values(dilations: Iterable[int]) -> list[ValueInfoProto]:
    """Return the inputs with the taps of some dilations, the least first."""
    return [
        tensor_info(taps_name(dilation), ("hops", KERNEL), TensorProto.INT64)
        for dilation in sorted(dilations)
    ]


def tensor_info(
    name: str, shape: Sequence[str | int], element: int = TensorProto.FLOAT
) -> ValueInfoProto:
    """Return an input or output of a graph; a size that is a name is free."""
    return helper.make_tensor_value_info(name, element, shape)


@dataclass(frozen=True, slots=True)
class GraphBlock:
    """A residual block: the name of its tensors, its dilation, and its scale and shift if any."""

    name: str
    dilation: int
    film: tuple[str, str] | None = None

    @property
    def reach(self) -> int:
        """Hops before its own that it depends on."""
        return (KERNEL - 1) * self.dilation


class Graph:
    """Nodes and constants under construction; methods add nodes and return their output's name.

    KeyError for a tensor that is missing.
    """

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._tensors = tensors
        self._count = 0

    def model(self, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> ModelProto:
        """Return the model of all nodes that were added."""
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
        gathered = self.node("Gather", x, taps_name(dilation), axis=1)
        return self.node("Reshape", gathered, self.integers(0, 0, KERNEL * width))

    def product(self, x: str, name: str, output: str = "") -> str:
        """Return `x` times the weights of that name, a tap after the other."""
        weight = self._tensors[f"{name}.weight"]
        if weight.ndim == 3:
            weight = weight.transpose(0, 2, 1).reshape(len(weight), -1)
        return self.node("MatMul", x, self.constant(weight.T), output=output)

    def linear(self, x: str, name: str, output: str = "") -> str:
        """Return the product with its bias, where it has one."""
        bias = self._tensors.get(f"{name}.bias")
        if bias is None:
            return self.product(x, name, output)
        return self.node("Add", self.product(x, name), self.constant(bias), output=output)

    def stack(self, x: str, blocks: Sequence[GraphBlock], pasts: Sequence[str]) -> str:
        """Return `x` after residual blocks, each with the past inputs of its convolution.

        Their past inputs for the next call, concatenated, become the output `new_past`.
        """
        normed = self.normed(x, blocks[0].name)
        kept = []
        for place, (block, past) in enumerate(zip(blocks, pasts, strict=True)):
            whole = self.node("Concat", past, normed, axis=1)
            kept.append(self.last(whole, block.reach))
            mixed = self.product(self._convolved(whole, block), f"{block.name}.mix")
            bias = self._tensors[f"{block.name}.mix.bias"]
            if place + 1 < len(blocks):
                normed, x = self.residual(mixed, x, bias, f"{blocks[place + 1].name}.gain")
            else:
                x = self.node("Add", self.node("Add", mixed, self.constant(bias)), x)
        self.node("Concat", *kept, axis=1, output="new_past")
        return x

    def _convolved(self, whole: str, block: GraphBlock) -> str:
        """Return the input of a block's mix."""
        conv = f"{block.name}.conv.conv"
        width = len(self._tensors[f"{block.name}.gain"])
        taps = self.taps(whole, block.dilation, width)
        if block.film is None:
            return self.node("Gelu", self.linear(taps, conv))
        scale, shift = block.film
        scaled = self.node("Mul", self.product(taps, conv), scale)
        return self.node("Gelu", self.node("Add", scaled, shift))

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

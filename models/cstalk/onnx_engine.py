"""The engine of a generator on a CPU: ONNX Runtime on one thread. Free of torch.

It runs the network of either architecture: on log-mel features (`onnx_network`), or on a speech
encoder (`encoder_onnx`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from cstalk_bridge.models.cstalk.encoder_architecture import EncoderArchitecture
from cstalk_bridge.models.cstalk.encoder_onnx import EncoderOnnxNetwork
from cstalk_bridge.models.cstalk.onnx_network import OnnxNetwork
from cstalk_bridge.models.cstalk.streaming import CachedStream, Engine, Passes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.architecture import Architecture, Description, Tensors
    from cstalk_bridge.models.cstalk.streaming import CachedNetwork, Floats


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
        self._open = partial(network_on_cpu, architecture, tensors, (minimum, maximum))
        self._has_int8 = isinstance(architecture, EncoderArchitecture)
        if self._has_int8:
            self.pass_rows = ATTENDED_ROWS
        self._networks: dict[bool, CachedNetwork[Any]] = {}
        self._network(in_int8=self._has_int8)

    def _network(self, *, in_int8: bool = False) -> CachedNetwork[Any]:
        """Return the network, in 8 bits or not; opened when it is first wanted."""
        if in_int8 not in self._networks:
            self._networks[in_int8] = self._open(in_int8=in_int8)
        return self._networks[in_int8]

    def passes(self, conditions: Floats, delay_hops: int) -> Passes[Any]:
        """Return what takes recordings piece by piece."""
        return Passes(self._network(), conditions, delay_hops, self.pass_rows)

    def stream(self, voices: int) -> CachedStream[Any]:
        """Return a stream of so many voices."""
        return CachedStream(self._network(in_int8=self._has_int8 and voices == 1), voices)

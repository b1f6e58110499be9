"""The three ways to stream one network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from models.loading import generator_of
from models.onnx_engine import OnnxEngine
from models.streams import CachedStream
from models.torch_engine import TorchNetwork, WindowStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.face_network import FaceNetwork
    from models.streams import Stream
    from models.weights_file import Description

CPU = torch.device("cpu")


def onnx_caches(network: FaceNetwork, description: Description, voices: int) -> Stream:
    """What a CPU runs."""
    generator = generator_of(network, description)
    assert isinstance(generator.engine, OnnxEngine)
    return generator.stream(voices)


def torch_caches(network: Any, _description: Description, voices: int) -> Stream:
    """What a CPU without ONNX Runtime runs."""
    return CachedStream(TorchNetwork(network, CPU), voices)


def torch_window(network: Any, _description: Description, voices: int) -> Stream:
    """What a GPU runs, without its graph."""
    return WindowStream(network, voices, CPU)


STREAMS: dict[str, Callable[[FaceNetwork, Description, int], Stream]] = {
    "onnx caches": onnx_caches,
    "torch caches": torch_caches,
    "torch window": torch_window,
}

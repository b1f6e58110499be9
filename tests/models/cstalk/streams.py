"""The three ways to stream one network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from cstalk_bridge.models.cstalk.onnx_engine import OnnxEngine
from cstalk_bridge.models.cstalk.streaming import CachedStream
from cstalk_bridge.models.cstalk.torch_engine import TorchNetwork, WindowStream
from cstalk_bridge.models.loading import create_generator

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.models.cstalk.architecture import Description
    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.cstalk.streaming import Stream


CPU = torch.device("cpu")


def onnx_caches(network: FaceNetwork, description: Description, voices: int) -> Stream:
    """What a CPU runs."""
    generator = create_generator(network, description)
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

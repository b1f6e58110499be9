"""Weights files of any network, and the engine that runs them on a device.

A file is safetensors whose metadata says everything needed to use it. Reading is free of
torch; torch is imported only where it computes.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import (
    STREAMING,
    Architecture,
    Description,
    EncoderArchitecture,
)
from cstalk_bridge.models.cstalk.generator import Generator
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.timing import HOP_MS, MAX_LOOKAHEAD_MS, ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.weights_format import read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from cstalk_bridge.models.cstalk.architecture import NetworkSizes, Tensors
    from cstalk_bridge.models.cstalk.network import FaceNetwork
    from cstalk_bridge.models.cstalk.streaming import Engine
    from cstalk_bridge.models.cstalk.torch_engine import Streamed


DEFAULT_PATH = Path(__file__).parent / "weights" / "cstalk.safetensors"

LIGHT, LIGHT_PATH = "light", DEFAULT_PATH.with_name("cstalk_light.safetensors")
"""A network of a third of the size, for many faces on one machine, and the name it goes by."""

ENCODER_PATH = DEFAULT_PATH.with_name("encoder.safetensors")
"""The speech encoder on which a face network is trained."""


FORMAT = "cstalk-generator-1"
LONGEST_HOPS = 1000
"""Largest reach of a layer, in hops: 20 s."""


DELAYS = MAX_LOOKAHEAD_MS // HOP_MS + 1
"""Number of look-aheads that a network must support: every whole hop."""


def weights_path(named: Path | None) -> Path:
    """Return the weights file that a user named: None is the default, `light` the light one.

    A file of that name comes first.
    """
    if named is None:
        return DEFAULT_PATH
    return LIGHT_PATH if named.name == LIGHT and not named.exists() else named


def build_network(description: Description) -> FaceNetwork:
    """Return the untrained network that `description` names; imports torch."""
    from cstalk_bridge.models.baselines import NETWORKS

    minimum, maximum = description.limits
    return NETWORKS[description.network](description.architecture, minimum, maximum)


def save_network(path: Path, network: FaceNetwork, description: Description) -> None:
    """Write `network` and its description; an existing file is replaced whole."""
    tensors = dict(network.state_dict())
    if isinstance(description.architecture, EncoderArchitecture):
        # Half as large, and rounding moves no feature by more than a hundredth of its spread.
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
    write_tensors(path, tensors, FORMAT, asdict(description))


def read_weights(path: Path) -> tuple[Tensors, Description]:
    """Return the tensors and the description of any network, once they are known to fit.

    WeightsError says what is wrong with the file. Only a network that cannot stream needs torch.
    """
    tensors, fields = read_tensors(path, FORMAT)
    description = _described(path, fields)
    try:
        wanted = _shapes(description)
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{path}: sizes that make no network ({error}); fetch it again"
        ) from error
    if wanted != {name: tensor.shape for name, tensor in tensors.items()}:
        raise WeightsError(f"{path}: the tensors do not fit the description; fetch it again")
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}, description


def check_streams(path: Path, description: Description) -> None:
    """Raise WeightsError for a network that only makes faces of whole recordings."""
    if not description.streams:
        raise WeightsError(
            f"{path}: a {description.network} network cannot stream and is for"
            " cstalk_bridge.models.evaluation only; use weights of a cstalk network"
        )


def load_streaming_network(path: Path, device: torch.device) -> tuple[Streamed, Description]:
    """Read the weights of a network that streams; WeightsError says what is wrong with the file."""
    tensors, description = read_weights(path)
    check_streams(path, description)
    network: Any = restore_network(tensors, description, device)
    return network, description


def load_network(path: Path, device: torch.device) -> tuple[FaceNetwork, Description]:
    """Read the weights of any network; WeightsError says what is wrong with the file."""
    tensors, description = read_weights(path)
    return restore_network(tensors, description, device), description


def restore_network(
    tensors: Tensors, description: Description, device: torch.device
) -> FaceNetwork:
    """Return the torch network of what `read_weights` gave, on a device."""
    import torch

    network = build_network(description)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return network.to(device).eval().requires_grad_(requires_grad=False)


def _shapes(description: Description) -> dict[str, tuple[int, ...]]:
    if isinstance(description.architecture, Architecture | EncoderArchitecture):
        shapes = description.architecture.tensor_shapes()
        if not all(type(size) is int for shape in shapes.values() for size in shape):
            raise TypeError("a size is no whole number")
        return shapes
    import torch

    with torch.device("meta"):  # which takes no memory, whatever the sizes say
        return {name: tuple(t.shape) for name, t in build_network(description).state_dict().items()}


def _described(path: Path, fields: Mapping[str, Any]) -> Description:
    try:
        sizes: dict[str, Any] = {
            name: tuple(size) if isinstance(size, list) else size
            for name, size in dict(fields["architecture"]).items()
        }
        network = fields.get("network", "cstalk")
        description = Description(
            architecture=_sizes_of(network)(**sizes),
            channels=tuple(fields["channels"]),
            emotions=tuple(fields["emotions"]),
            sample_rate_hz=int(fields["sample_rate_hz"]),
            rate_hz=int(fields["rate_hz"]),
            card=dict(fields["card"]),
            network=network,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path}: its description is damaged ({error!r}); fetch it again"
        ) from error
    _check_sizes(path, sizes)
    _check_interface(path, description)
    return description


def _sizes_of(network: str) -> Callable[..., NetworkSizes]:
    """Return the class of a network's sizes; KeyError for a name that is none."""
    if network in STREAMING:
        return STREAMING[network]
    from cstalk_bridge.models.baselines import NETWORKS

    return NETWORKS[network].sizes


def _check_interface(path: Path, description: Description) -> None:
    """Raise WeightsError where a network's inputs and outputs are not those of this version."""
    ours = {
        "channels": (description.channels, AUDIO_DRIVEN),
        "emotions": (description.emotions, EMOTIONS),
        "sample rate": (description.sample_rate_hz, SAMPLE_RATE_HZ),
        "row rate": (description.rate_hz, ROW_RATE_HZ),
        "number of channels": (description.architecture.channels, len(AUDIO_DRIVEN)),
        "number of look-aheads": (description.architecture.delays, DELAYS),
    }
    if others := [name for name, (given, wanted) in ours.items() if given != wanted]:
        raise WeightsError(
            f"{path}: made for other {', '.join(others)} than this version's; use weights made for"
            " this version"
        )


def _check_sizes(path: Path, sizes: Mapping[str, Any]) -> None:
    """Raise WeightsError for sizes that no tensor would betray, but memory would."""
    reaches = [reach for size in sizes.values() if isinstance(size, tuple) for reach in size]
    reaches.append(sizes.get("window_hops", 1))
    if not all(isinstance(reach, int) and 1 <= reach <= LONGEST_HOPS for reach in reaches):
        raise WeightsError(
            f"{path}: dilations or a window that are not from 1 to {LONGEST_HOPS} hops; fetch it"
            " again"
        )


DEVICES = ("auto", "cpu", "cuda")


def choose_device(name: str) -> str:
    """Return `cpu` or `cuda` for a name in `DEVICES`; ValueError where there is no such device."""
    if name not in DEVICES:
        raise ValueError(f"device {name}: there are auto, cpu and cuda")
    if name == "cpu" or (name == "auto" and not has_nvidia_gpu()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "auto":
        return "cpu"
    raise ValueError("device cuda: this machine or this torch has no CUDA GPU; use cpu or auto")


def has_nvidia_gpu() -> bool:
    """Return whether NVIDIA's driver lists a GPU, without torch, whose import takes a second."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    is_ready = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return is_ready and count.value > 0


def open_generator(path: Path | None, device: str) -> Generator:
    """Load `path` (as in `weights_path`) onto `device`; WeightsError says what is wrong."""
    path, chosen = weights_path(path), choose_device(device)
    tensors, description = read_weights(path)
    check_streams(path, description)
    open_engine = create_cpu_engine if chosen == "cpu" else create_torch_engine
    return Generator(open_engine(tensors, description), description)


def create_cpu_engine(tensors: Tensors, description: Description) -> Engine:
    """Return the fastest engine of a CPU: ONNX Runtime, else torch with a notice that says why."""
    try:
        from cstalk_bridge.models.cstalk.onnx_engine import OnnxEngine

        return OnnxEngine(tensors, description)
    except (ImportError, OSError, RuntimeError) as error:
        engine = create_torch_engine(tensors, description, "cpu")
        engine.notice = (
            f"ONNX Runtime is not used ({error}); faces are made with {engine.name}, which takes"
            " several times as long. Installing onnx and onnxruntime again may mend it."
        )
        return engine


def create_generator(network: FaceNetwork, description: Description) -> Generator:
    """Return a generator on the CPU of a network that is in memory, one that streams or not."""
    if not description.streams:
        return Generator(_wrap_network(network, description), description)
    tensors = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    return Generator(create_cpu_engine(tensors, description), description)


def create_torch_engine(tensors: Tensors, description: Description, device: str = "cuda") -> Engine:
    """Return an engine of torch, on `cpu` or `cuda`."""
    import torch

    return _wrap_network(restore_network(tensors, description, torch.device(device)), description)


def _wrap_network(network: FaceNetwork, description: Description) -> Engine:
    from cstalk_bridge.models.cstalk.torch_engine import TorchEngine

    return TorchEngine(network, description.network, network.minimum.device)

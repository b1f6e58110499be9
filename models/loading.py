"""Weights files brought onto a device; torch is imported only where it computes."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

from models.generator import Generator
from models.shipped import DEFAULT_PATH
from models.weights_file import check_streams, network_of, read_weights

if TYPE_CHECKING:
    from pathlib import Path

    from models.engine import Engine
    from models.face_network import FaceNetwork
    from models.weights_file import Description, Tensors

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


def load_weights(path: Path | None, device: str) -> Generator:
    """Load `path` (default: the shipped weights) onto `device`; WeightsError says what is wrong."""
    path, chosen = path or DEFAULT_PATH, choose_device(device)
    tensors, description = read_weights(path)
    check_streams(path, description)
    open_engine = cpu_engine if chosen == "cpu" else torch_engine
    return Generator(open_engine(tensors, description), description)


def cpu_engine(tensors: Tensors, description: Description) -> Engine:
    """Return the fastest engine of a CPU: ONNX Runtime, else torch with a notice that says why."""
    try:
        from models.onnx_engine import OnnxEngine

        return OnnxEngine(tensors, description)
    except (ImportError, OSError, RuntimeError) as error:
        engine = torch_engine(tensors, description, "cpu")
        engine.notice = (
            f"ONNX Runtime is not used ({error}); faces are made with {engine.name}, which takes"
            " several times as long. Installing onnx and onnxruntime again may mend it."
        )
        return engine


def generator_of(network: FaceNetwork, description: Description) -> Generator:
    """Return a generator on the CPU of a network that is in memory, one that streams or not."""
    if not description.streams:
        return Generator(_torch_engine(network, description), description)
    tensors = {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}
    return Generator(cpu_engine(tensors, description), description)


def torch_engine(tensors: Tensors, description: Description, device: str = "cuda") -> Engine:
    """Return an engine of torch, on `cpu` or `cuda`."""
    import torch

    return _torch_engine(network_of(tensors, description, torch.device(device)), description)


def _torch_engine(network: FaceNetwork, description: Description) -> Engine:
    from models.torch_engine import TorchEngine

    return TorchEngine(network, description.network, network.minimum.device)

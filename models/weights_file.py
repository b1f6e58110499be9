"""Weights files: safetensors whose metadata says everything needed to use them.

`read_weights` is free of torch; `load` and `load_network` make torch networks of what it reads.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.architecture import Architecture
from models.board import AUDIO_DRIVEN, CHANNELS, INDEX
from models.described_file import read, write
from models.emotions import EMOTIONS
from models.errors import WeightsError
from models.timing import HOP_MS, MAX_LOOKAHEAD_MS, ROW_RATE_HZ, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from models.face_network import FaceNetwork, Sizes
    from models.network import Generator

    Tensors = Mapping[str, NDArray[np.float32]]

FORMAT = "cstalk-generator-1"
LONGEST_HOPS = 1000
"""Hops that a layer of a network may reach at most: 20 s."""
STREAMING = ("cstalk", "cstalk-uncorrelated")
"""The networks in `models.baselines.NETWORKS` that can stream; all have an `Architecture`."""
DELAYS = MAX_LOOKAHEAD_MS // HOP_MS + 1
"""Look-aheads that a network must know: every whole hop."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a weights file says of itself.

    `channels` are board names in output order, `emotions` in the order of the emotion vector;
    `card` holds data, licence, minutes, settings and training hash, for people; `network` is a
    name in `models.baselines.NETWORKS`, `architecture` its sizes.
    """

    architecture: Sizes
    channels: tuple[str, ...]
    emotions: tuple[str, ...]
    sample_rate_hz: int
    rate_hz: int
    card: Mapping[str, Any]
    network: str = "cstalk"

    @property
    def streams(self) -> bool:
        """Whether it can be run hop by hop."""
        return self.network in STREAMING

    @property
    def streaming_architecture(self) -> Architecture:
        """The sizes of a network that streams; TypeError for another."""
        if not isinstance(self.architecture, Architecture):
            raise TypeError(f"a {self.network} network has no such sizes")
        return self.architecture

    @property
    def limits(self) -> tuple[list[float], list[float]]:
        """The least and greatest value of each channel."""
        channels = [CHANNELS[INDEX[name]] for name in self.channels]
        return [c.minimum for c in channels], [c.maximum for c in channels]


def build(description: Description) -> FaceNetwork:
    """Return the untrained network that `description` names; imports torch."""
    from models.baselines import NETWORKS

    minimum, maximum = description.limits
    return NETWORKS[description.network](description.architecture, minimum, maximum)


def save(path: Path, network: FaceNetwork, description: Description) -> None:
    """Write `network` and its description; an existing file is replaced whole."""
    write(path, network.state_dict(), FORMAT, asdict(description))


def read_weights(path: Path) -> tuple[Tensors, Description]:
    """Return the tensors and the description of any network, once they are known to fit.

    WeightsError says what is wrong with the file. Only a network that cannot stream needs torch.
    """
    tensors, fields = read(path, FORMAT)
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
            f"{path}: a {description.network} network cannot stream, it is there to be measured by"
            " models.evaluation; use weights of a cstalk network"
        )


def load(path: Path, device: torch.device) -> tuple[Generator, Description]:
    """Read the weights of a network that streams; WeightsError says what is wrong with the file."""
    tensors, description = read_weights(path)
    check_streams(path, description)
    network: Any = network_of(tensors, description, device)
    return network, description


def load_network(path: Path, device: torch.device) -> tuple[FaceNetwork, Description]:
    """Read the weights of any network; WeightsError says what is wrong with the file."""
    tensors, description = read_weights(path)
    return network_of(tensors, description, device), description


def network_of(tensors: Tensors, description: Description, device: torch.device) -> FaceNetwork:
    """Return the torch network of what `read_weights` gave, on a device."""
    import torch

    network = build(description)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return network.to(device).eval().requires_grad_(requires_grad=False)


def _shapes(description: Description) -> dict[str, tuple[int, ...]]:
    if isinstance(description.architecture, Architecture):
        shapes = description.architecture.tensor_shapes()
        if not all(type(size) is int for shape in shapes.values() for size in shape):
            raise TypeError("a size is no whole number")
        return shapes
    import torch

    with torch.device("meta"):  # which takes no memory, whatever the sizes say
        return {name: tuple(t.shape) for name, t in build(description).state_dict().items()}


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
    _check_trade(path, description)
    return description


def _sizes_of(network: str) -> Callable[..., Sizes]:
    """Return the class of a network's sizes; KeyError for a name that is none."""
    if network in STREAMING:
        return Architecture
    from models.baselines import NETWORKS

    return NETWORKS[network].sizes


def _check_trade(path: Path, description: Description) -> None:
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

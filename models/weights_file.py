"""Weights files: safetensors whose metadata says everything needed to use them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from models.baselines import NETWORKS
from models.board import AUDIO_DRIVEN, CHANNELS, INDEX
from models.described_file import read, write
from models.emotions import EMOTIONS
from models.errors import WeightsError
from models.network import Generator
from models.timing import HOP_MS, MAX_LOOKAHEAD_MS, ROW_RATE_HZ, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from models.face_network import FaceNetwork, Sizes

FORMAT = "cstalk-generator-1"
LONGEST_HOPS = 1000
"""Hops that a layer of a network may reach at most: 20 s."""
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


def build(description: Description) -> FaceNetwork:
    """Return the untrained network that `description` names."""
    channels = [CHANNELS[INDEX[name]] for name in description.channels]
    return NETWORKS[description.network](
        description.architecture, [c.minimum for c in channels], [c.maximum for c in channels]
    )


def save(path: Path, network: FaceNetwork, description: Description) -> None:
    """Write `network` and its description; an existing file is replaced whole."""
    write(path, network.state_dict(), FORMAT, asdict(description))


def load(path: Path, device: torch.device) -> tuple[Generator, Description]:
    """Read the weights of a network that streams; WeightsError says what is wrong with the file."""
    network, description = load_network(path, device)
    if not isinstance(network, Generator):
        raise WeightsError(
            f"{path}: a {description.network} network cannot stream, it is there to be measured by"
            " models.evaluation; use weights of a cstalk network"
        )
    return network, description


def load_network(path: Path, device: torch.device) -> tuple[FaceNetwork, Description]:
    """Read the weights of any network; WeightsError says what is wrong with the file."""
    tensors, fields = read(path, FORMAT)
    description = _described(path, fields)
    network = _fitting(path, description, tensors)
    network.load_state_dict(tensors)
    return network.to(device).eval().requires_grad_(requires_grad=False), description


def _fitting(
    path: Path, description: Description, tensors: Mapping[str, torch.Tensor]
) -> FaceNetwork:
    """Return the network which `description` names, once its sizes are known to be the tensors'."""
    try:
        with torch.device("meta"):  # which takes no memory, whatever the sizes say
            wanted = {name: t.shape for name, t in build(description).state_dict().items()}
    except (RuntimeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{path}: sizes that make no network ({error}); fetch it again"
        ) from error
    if wanted != {name: tensor.shape for name, tensor in tensors.items()}:
        raise WeightsError(f"{path}: the tensors do not fit the description; fetch it again")
    return build(description)


def _described(path: Path, fields: Mapping[str, Any]) -> Description:
    try:
        sizes: dict[str, Any] = {
            name: tuple(size) if isinstance(size, list) else size
            for name, size in dict(fields["architecture"]).items()
        }
        network = fields.get("network", "cstalk")
        description = Description(
            architecture=NETWORKS[network].sizes(**sizes),
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

"""Weights files: safetensors whose metadata says everything needed to use them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from models.board import CHANNELS, INDEX
from models.errors import WeightsError
from models.network import Architecture, Generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

FORMAT = "cstalk-generator-1"
LARGEST_FILE_BYTES = 200 * 1024 * 1024
DEFAULT_PATH = Path(__file__).parent / "weights" / "cstalk.safetensors"


@dataclass(frozen=True, slots=True)
class Description:
    """What a weights file says of itself.

    `channels` are board names in output order, `emotions` in the order of the emotion vector;
    `card` holds data, licence, minutes, settings and training hash, for people.
    """

    architecture: Architecture
    channels: tuple[str, ...]
    emotions: tuple[str, ...]
    sample_rate_hz: int
    rate_hz: int
    card: Mapping[str, Any]


def build(description: Description) -> Generator:
    """Return the untrained network that `description` names."""
    channels = [CHANNELS[INDEX[name]] for name in description.channels]
    return Generator(
        description.architecture, [c.minimum for c in channels], [c.maximum for c in channels]
    )


def save(path: Path, network: Generator, description: Description) -> None:
    """Write `network` and its description; an existing file is replaced whole."""
    metadata = {"format": FORMAT, "description": json.dumps(asdict(description))}
    partial = path.with_suffix(".partial")
    save_file({name: t.contiguous() for name, t in network.state_dict().items()}, partial, metadata)
    partial.replace(path)


def load(path: Path, device: torch.device) -> tuple[Generator, Description]:
    """Read a weights file; WeightsError says what is wrong with it and what to do."""
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such weights file; name one that exists")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise WeightsError(f"{path}: larger than {LARGEST_FILE_BYTES} bytes; it is no generator")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            description = _described(path, file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: damaged or no safetensors file ({error}); fetch it again"
        ) from error
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise WeightsError(f"{path}: holds values that are not finite; fetch it again")
    network = build(description)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: the tensors do not fit the description; fetch it again"
        ) from error
    return network.to(device).eval().requires_grad_(requires_grad=False), description


def _described(path: Path, metadata: Mapping[str, str]) -> Description:
    if metadata.get("format") != FORMAT:
        found = metadata.get("format", "none")
        raise WeightsError(
            f"{path}: format {found}, expected {FORMAT}; use weights made for this version"
        )
    try:
        fields = json.loads(metadata["description"])
        sizes: dict[str, Any] = {
            name: tuple(size) if isinstance(size, list) else size
            for name, size in fields["architecture"].items()
        }
        description = Description(
            architecture=Architecture(**sizes),
            channels=tuple(fields["channels"]),
            emotions=tuple(fields["emotions"]),
            sample_rate_hz=int(fields["sample_rate_hz"]),
            rate_hz=int(fields["rate_hz"]),
            card=fields["card"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path}: its description is damaged ({error!r}); fetch it again"
        ) from error
    unknown = [name for name in description.channels if name not in INDEX]
    if unknown or len(description.channels) != description.architecture.channels:
        raise WeightsError(
            f"{path}: channels that are not on the board: {unknown[:5]}; fetch it again"
        )
    return description

"""Encoder weights files: safetensors with a description, validated on reading.

Values are stored in float16 and computed in float32: the file is half as large, and rounding moves
no feature by more than a hundredth of its spread.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from cstalk_bridge.models.encoder.network import Encoder, EncoderSizes
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import REACH_HOPS, RIGHT_HOPS
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ
from cstalk_bridge.models.weights_format import read_tensors, write_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


FORMAT = "cstalk-encoder-1"
MAX_WIDTH = 2048
"""Largest sizes of a network, which bound the memory that a file can claim."""


@dataclass(frozen=True, slots=True)
class EncoderDescription:
    """The description in an encoder weights file.

    `heads` names the outputs of the linear heads trained with it, in order; they are in the file as
    `heads.weight` and `heads.bias` and take the encoder's features. `card` holds data, licence,
    notices, minutes and settings, for readers.
    """

    sizes: EncoderSizes
    card: Mapping[str, Any]
    heads: tuple[str, ...] = ()
    right_hops: tuple[tuple[int, ...], ...] = RIGHT_HOPS
    reach_hops: int = REACH_HOPS
    sample_rate_hz: int = SAMPLE_RATE_HZ
    hop_samples: int = HOP_SAMPLES


def save_encoder(
    path: Path,
    encoder: Encoder,
    description: EncoderDescription,
    heads: torch.nn.Linear | None = None,
) -> None:
    """Write an encoder, its heads and its description; an existing file is replaced whole."""
    tensors = dict(encoder.state_dict())
    if heads is not None:
        tensors |= {f"heads.{name}": tensor for name, tensor in heads.state_dict().items()}
    halved = {name: tensor.half() for name, tensor in tensors.items()}
    write_tensors(path, halved, FORMAT, asdict(description))


def load_encoder(path: Path) -> tuple[Encoder, torch.nn.Linear | None, EncoderDescription]:
    """Read an encoder and its heads (None: the file has none), frozen.

    WeightsError says what is wrong with the file.
    """
    tensors, fields = read_tensors(path, FORMAT)
    description = _described(path, fields)
    with torch.device("meta"):  # which takes no memory, whatever the sizes say
        encoder, heads = _networks(description)
        expected = {name: t.shape for name, t in encoder.state_dict().items()}
        if heads is not None:
            expected |= {f"heads.{name}": t.shape for name, t in heads.state_dict().items()}
    if expected != {name: tensor.shape for name, tensor in tensors.items()}:
        raise WeightsError(f"{path}: the tensors do not fit the description; fetch it again")
    encoder, heads = _networks(description)
    state = {name: torch.from_numpy(array).float() for name, array in tensors.items()}
    own = {name: t for name, t in state.items() if not name.startswith("heads.")}
    encoder.load_state_dict(own)
    if heads is not None:
        read_off = {n.removeprefix("heads."): t for n, t in state.items() if n not in own}
        heads.load_state_dict(read_off)
        heads.requires_grad_(requires_grad=False)
    return encoder.eval().requires_grad_(requires_grad=False), heads, description


def _networks(description: EncoderDescription) -> tuple[Encoder, torch.nn.Linear | None]:
    width, outputs = description.sizes.width, len(description.heads)
    return Encoder(description.sizes), torch.nn.Linear(width, outputs) if outputs else None


def _described(path: Path, fields: Mapping[str, Any]) -> EncoderDescription:
    try:
        sizes = EncoderSizes(**{name: int(size) for name, size in fields["sizes"].items()})
        description = EncoderDescription(
            sizes=sizes,
            card=dict(fields["card"]),
            heads=tuple(map(str, fields["heads"])),
            right_hops=tuple(tuple(map(int, hops)) for hops in fields["right_hops"]),
            reach_hops=int(fields["reach_hops"]),
            sample_rate_hz=int(fields["sample_rate_hz"]),
            hop_samples=int(fields["hop_samples"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{path}: its description is damaged ({error!r}); fetch it again"
        ) from error
    ours = (RIGHT_HOPS, REACH_HOPS, SAMPLE_RATE_HZ, HOP_SAMPLES)
    d = description
    if (d.right_hops, d.reach_hops, d.sample_rate_hz, d.hop_samples) != ours:
        raise WeightsError(
            f"{path}: made for other delays or rates than this version's; use weights made for it"
        )
    s = sizes
    fits = (
        1 <= s.heads <= s.width <= MAX_WIDTH
        and s.width % s.heads == 0
        and len(d.heads) <= MAX_WIDTH
    )
    if not fits or not 1 <= s.inner <= 4 * MAX_WIDTH or s.layers != len(RIGHT_HOPS[0]):
        raise WeightsError(f"{path}: its sizes are out of range; fetch it again")
    return description

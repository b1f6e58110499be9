"""Correlation supervision: a network that predicts regions of a face from the others.

After CSTalk (arXiv 2404.18604): a transformer encoder over facial regions, trained on real and
rule-based faces to predict masked regions, given the others and the emotion. Sizes and masking are
ours; the paper's are unpublished. It is used in training only.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cstalk_bridge.models import weights_format
from cstalk_bridge.models.board import AUDIO_DRIVEN, REGION_COLUMNS, REGIONS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


FORMAT = "cstalk-correlation-2"
LARGEST_SIZE = 1024


@dataclass(frozen=True, slots=True)
class CorrelationSizes:
    """The sizes of the network, as a file names them; `window_rows` is the longest clip."""

    window_rows: int = 50
    width: int = 128
    layers: int = 4
    heads: int = 4


@dataclass(frozen=True, slots=True)
class Windows:
    """Pieces of faces: `values` [batch, time, 81] in board values, `AUDIO_DRIVEN` order.

    `observed` [batch, 81] marks the channels that are known, `emotion` [batch, emotions] are the
    weights, `emotion_known` [batch] marks the clips whose emotion is known.
    """

    values: Tensor
    observed: Tensor
    emotion: Tensor
    emotion_known: Tensor


class RegionCorrelation(nn.Module):
    """Predicts masked regions of a face from the others: one token per region and frame."""

    def __init__(
        self, sizes: CorrelationSizes, scale: Tensor, known: Tensor, start: Tensor | None = None
    ) -> None:
        """`scale` [81] is each channel's spread: the network's unit of motion.

        `known` [81] marks the channels observed in any training face. `start` [81, 162] are initial
        weights from the observed values and the observed flags to the channels.
        """
        super().__init__()
        self.sizes = sizes
        self.scale: Tensor
        self.known: Tensor
        self.register_buffer("scale", scale.clone())
        self.register_buffer("known", known.clone())
        counts = [len(REGION_COLUMNS[region]) for region in REGIONS]
        width = sizes.width
        # A token holds its channels' values and which of them are observed.
        self.readers = nn.ModuleList(nn.Linear(2 * count, width) for count in counts)
        self.writers = nn.ModuleList(nn.Linear(width, count) for count in counts)
        self.region = nn.Parameter(torch.randn(len(REGIONS), width) * 0.1)
        self.time = nn.Parameter(torch.randn(sizes.window_rows, 1, width) * 0.1)
        self.hidden = nn.Parameter(torch.randn(width) * 0.1)
        self.emotion = nn.Linear(len(EMOTIONS), width)
        self.unfelt = nn.Parameter(torch.randn(width) * 0.1)
        layer = nn.TransformerEncoderLayer(
            width, sizes.heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, sizes.layers, nn.LayerNorm(width), enable_nested_tensor=False
        )
        # A shortcut for the linear dependence between the regions of one frame.
        self.shortcut = nn.Linear(2 * len(AUDIO_DRIVEN), len(AUDIO_DRIVEN), bias=False)
        nn.init.zeros_(self.shortcut.weight)
        if start is not None:
            self.shortcut.weight = nn.Parameter(start.clone())

    def forward(self, windows: Windows, hidden: Tensor) -> Tensor:
        """Return faces [batch, time, 81] as predicted from the visible regions.

        `hidden` [batch, time, regions] marks the masked tokens; a region without observed channels
        is masked too. Time is at most `sizes.window_rows`.
        """
        visible = self._visible(windows.observed, hidden)
        seen = torch.cat((windows.values / self.scale * visible, visible.to(self.scale.dtype)), -1)
        tokens = []
        for region, reader in zip(REGIONS, self.readers, strict=True):
            columns = torch.tensor(REGION_COLUMNS[region], device=seen.device)
            token = reader(seen[..., torch.cat((columns, columns + len(AUDIO_DRIVEN)))])
            masked = ~visible[..., columns].any(-1, keepdim=True)
            tokens.append(torch.where(masked, self.hidden, token))
        x = torch.stack(tokens, 2) + self.region + self.time[: seen.shape[1]]
        known = windows.emotion_known[:, None]
        emotion = torch.where(known, self.emotion(windows.emotion), self.unfelt)
        y = self.encoder(torch.cat((emotion[:, None], x.flatten(1, 2)), 1))[:, 1:].view_as(x)
        faces: Tensor = self.shortcut(seen)
        for index, (region, writer) in enumerate(zip(REGIONS, self.writers, strict=True)):
            faces[..., list(REGION_COLUMNS[region])] += writer(y[:, :, index])
        return faces * self.scale

    def _visible(self, observed: Tensor, hidden: Tensor) -> Tensor:
        """Return which channels are observed and not masked, [batch, time, 81]."""
        masked = torch.empty(*hidden.shape[:2], len(AUDIO_DRIVEN), dtype=torch.bool).to(
            hidden.device
        )
        for index, region in enumerate(REGIONS):
            masked[..., list(REGION_COLUMNS[region])] = hidden[..., index, None]
        return observed[:, None] & ~masked


def save_correlation(path: Path, network: RegionCorrelation, card: Mapping[str, Any]) -> None:
    """Write `network`; `card` holds data, licence, settings and figures, for readers."""
    description = {
        "sizes": asdict(network.sizes),
        "channels": AUDIO_DRIVEN,
        "regions": REGIONS,
        "emotions": EMOTIONS,
        "rate_hz": ROW_RATE_HZ,
        "card": dict(card),
    }
    weights_format.write_tensors(path, network.state_dict(), FORMAT, description)


def load_correlation(path: Path, device: torch.device) -> tuple[RegionCorrelation, dict[str, Any]]:
    """Return a frozen network and its card; WeightsError says what is wrong with the file."""
    arrays, description = weights_format.read_tensors(path, FORMAT)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    try:
        sizes = _checked_sizes(path, description)
        tensors["known"] = tensors["known"].bool()
        with torch.device("meta"):  # a hostile size must not reserve memory
            network = RegionCorrelation(sizes, tensors["scale"], tensors["known"])
        network.load_state_dict(tensors, assign=True)
        card = dict(description["card"])
    except WeightsError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise WeightsError(
            f"{path}: the tensors do not fit the description; fetch or make it again"
        ) from error
    return network.float().to(device).eval().requires_grad_(requires_grad=False), card


def _checked_sizes(path: Path, description: Mapping[str, Any]) -> CorrelationSizes:
    ours = {"channels": AUDIO_DRIVEN, "regions": REGIONS, "emotions": EMOTIONS}
    for name, expected in ours.items():
        if tuple(description[name]) != expected:
            raise WeightsError(f"{path}: other {name} than this version's; train it again")
    sizes = CorrelationSizes(**description["sizes"])
    for name, size in asdict(sizes).items():
        if not 0 < size <= LARGEST_SIZE:
            raise WeightsError(f"{path}: {name} {size} is not in 1..{LARGEST_SIZE}; train it again")
    return sizes

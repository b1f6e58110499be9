"""Mood weights files: safetensors that say what they are, read with suspicion."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from models.described_file import read, write
from models.emotions import EMOTIONS
from models.errors import WeightsError
from models.mood.network import MoodNetwork, Sizes
from models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "cstalk-mood-1"
DEFAULT_PATH = Path(__file__).parents[1] / "weights" / "mood_research.safetensors"
"""The mood weights that come with the program: a research build."""
WIDEST, LONGEST_HOPS, MOST_LAYERS = 1024, 1000, 32
"""Sizes of a network at most: no file asks for more memory than that."""


@dataclass(frozen=True, slots=True)
class MoodDescription:
    """What a mood weights file says of itself.

    `emotions` are in the order of the evidence; `card` holds data, licence, minutes, figures.
    """

    sizes: Sizes
    card: Mapping[str, Any]
    emotions: tuple[str, ...] = EMOTIONS
    sample_rate_hz: int = SAMPLE_RATE_HZ
    hop_samples: int = HOP_SAMPLES

    @property
    def licence(self) -> str:
        """On what terms the weights may be used."""
        return str(self.card.get("licence", "unknown"))


@dataclass(frozen=True, slots=True)
class MoodWeights:
    """A network ready to hear, and what its file says of it."""

    network: MoodNetwork
    description: MoodDescription = field(repr=False)


def save(path: Path, network: MoodNetwork, description: MoodDescription) -> None:
    """Write the network and its description; an existing file is replaced whole."""
    write(path, network.state_dict(), FORMAT, asdict(description))


def load(path: Path | None = None) -> MoodWeights:
    """Read mood weights (None: the shipped ones); WeightsError says what is wrong with the file."""
    path = path or DEFAULT_PATH
    tensors, fields = read(path, FORMAT)
    description = _described(path, fields)
    with torch.device("meta"):  # which takes no memory, whatever the sizes say
        wanted = {name: t.shape for name, t in MoodNetwork(description.sizes).state_dict().items()}
    if wanted != {name: tensor.shape for name, tensor in tensors.items()}:
        raise WeightsError(f"{path}: the tensors do not fit the description; fetch it again")
    network = MoodNetwork(description.sizes)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return MoodWeights(network.eval().requires_grad_(requires_grad=False), description)


def _described(path: Path, fields: Mapping[str, Any]) -> MoodDescription:
    try:
        sizes = Sizes(int(fields["sizes"]["width"]), tuple(map(int, fields["sizes"]["dilations"])))
        description = MoodDescription(
            sizes=sizes,
            card=dict(fields["card"]),
            emotions=tuple(fields["emotions"]),
            sample_rate_hz=int(fields["sample_rate_hz"]),
            hop_samples=int(fields["hop_samples"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path}: its description is damaged ({error!r}); fetch it again"
        ) from error
    if (description.emotions, description.sample_rate_hz, description.hop_samples) != (
        EMOTIONS,
        SAMPLE_RATE_HZ,
        HOP_SAMPLES,
    ):
        raise WeightsError(
            f"{path}: made for other emotions or rates than this version's; use weights made for"
            " this version"
        )
    reaches = sizes.dilations
    fits = 1 <= sizes.width <= WIDEST and 1 <= len(reaches) <= MOST_LAYERS
    if not fits or not all(1 <= reach <= LONGEST_HOPS for reach in reaches):
        raise WeightsError(f"{path}: sizes that make no network; fetch it again")
    return description

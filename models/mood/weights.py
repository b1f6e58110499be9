"""Mood weights files: safetensors that say what they are, read with suspicion. Free of torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.described_file import read, write
from models.emotions import EMOTIONS
from models.errors import WeightsError
from models.mood.sizes import Sizes
from models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True, eq=False)
class MoodWeights:
    """The tensors of a network, by name, and what their file says of it; they fit each other."""

    tensors: Mapping[str, NDArray[np.float32]] = field(repr=False)
    description: MoodDescription = field(repr=False)


def save(
    path: Path, tensors: Mapping[str, NDArray[np.float32]], description: MoodDescription
) -> None:
    """Write tensors and their description; an existing file is replaced whole."""
    write(path, tensors, FORMAT, asdict(description))


def load(path: Path | None = None) -> MoodWeights:
    """Read mood weights (None: the shipped ones); WeightsError says what is wrong with the file."""
    path = path or DEFAULT_PATH
    tensors, fields = read(path, FORMAT)
    description = _described(path, fields)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    if shapes != description.sizes.tensor_shapes():
        raise WeightsError(f"{path}: the tensors do not fit the description; fetch it again")
    return MoodWeights(tensors, description)


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

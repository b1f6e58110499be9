"""The networks that the training script can make: ours, and those it must beat.

All learn from the same batches with the same loss. All but the teacher have about the same number
of parameters, know the look-ahead as an input and hear nothing after the hop they follow. What
wav2vec 2.0 brings to the originals, an ear trained to tell phones, a causal convolutional encoder
with the same phone task stands in for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.architecture import Architecture
from models.baselines.emotalk import EmoTalkLike, EmoTalkSizes
from models.baselines.faceformer import FaceFormerLike, FaceFormerSizes
from models.network import Generator
from models.teacher import Teacher, TeacherSizes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.face_network import FaceNetwork, Sizes


@dataclass(frozen=True, slots=True)
class Design:
    """One kind of network: how its sizes are named, how it is made, and what it is.

    Called with sizes, minimum and maximum of each channel, it returns the untrained network.
    """

    sizes: Callable[..., Sizes]
    network: type[FaceNetwork]
    about: str

    def __call__(
        self, sizes: Sizes, minimum: Sequence[float], maximum: Sequence[float]
    ) -> FaceNetwork:
        """Return the untrained network."""
        return self.network(sizes, minimum, maximum)

    @property
    def streams(self) -> bool:
        """Whether `models.streams` can carry it, hop by hop."""
        return issubclass(self.network, Generator)


NETWORKS: dict[str, Design] = {
    "cstalk": Design(Architecture, Generator, "our generator"),
    "cstalk-uncorrelated": Design(
        Architecture, Generator, "our generator, to be trained without correlation supervision"
    ),
    "faceformer-like": Design(
        FaceFormerSizes, FaceFormerLike, "an autoregressive transformer over its past faces"
    ),
    "emotalk-like": Design(
        EmoTalkSizes, EmoTalkLike, "encoders of content and emotion under cross attention"
    ),
    "teacher": Design(TeacherSizes, Teacher, "the paper's CSTalk, on a wav2vec 2.0 of its user's"),
}
"""By the name that `models.training.train --network` and weights files use."""

"""All networks that training can train: CSTalk's, and baselines to compare with.

All are trained on the same batches with the same loss. All but the teacher have about the same
number of parameters, take the look-ahead as an input and are causal. In place of the originals'
wav2vec 2.0 they have a causal convolutional encoder that is trained to recognise phones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cstalk_bridge.models.baselines.teacher import Teacher, TeacherSizes
from cstalk_bridge.models.baselines.transformers import (
    EmoTalkLike,
    EmoTalkSizes,
    FaceFormerLike,
    FaceFormerSizes,
)
from cstalk_bridge.models.cstalk.architecture import Architecture, EncoderArchitecture
from cstalk_bridge.models.cstalk.network import CSTalkNetwork, EncoderGenerator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cstalk_bridge.models.cstalk.architecture import NetworkSizes
    from cstalk_bridge.models.cstalk.network import FaceNetwork


@dataclass(frozen=True, slots=True)
class NetworkDesign:
    """A kind of network: the class of its sizes, its own class, and a description.

    Called with sizes, minimum and maximum of each channel, it returns the untrained network.
    """

    sizes: Callable[..., NetworkSizes]
    network: type[FaceNetwork]
    about: str

    def __call__(
        self, sizes: NetworkSizes, minimum: Sequence[float], maximum: Sequence[float]
    ) -> FaceNetwork:
        """Return the untrained network."""
        return self.network(sizes, minimum, maximum)

    @property
    def streams(self) -> bool:
        """Whether `cstalk_bridge.models.cstalk.streaming` can carry it, hop by hop."""
        return issubclass(self.network, (CSTalkNetwork, EncoderGenerator))


NETWORKS: dict[str, NetworkDesign] = {
    "cstalk-encoder": NetworkDesign(
        EncoderArchitecture, EncoderGenerator, "our generator on the speech encoder"
    ),
    "cstalk": NetworkDesign(Architecture, CSTalkNetwork, "our generator"),
    "faceformer-like": NetworkDesign(
        FaceFormerSizes, FaceFormerLike, "an autoregressive transformer over its past faces"
    ),
    "emotalk-like": NetworkDesign(
        EmoTalkSizes, EmoTalkLike, "encoders of content and emotion under cross attention"
    ),
    "teacher": NetworkDesign(
        TeacherSizes, Teacher, "the paper's CSTalk, on the user's wav2vec 2.0"
    ),
}
"""By the name that `cstalk_bridge.models.training.train --network` and weights files use."""

"""CSTalk as in the paper: wav2vec 2.0, then a TCN decoder with the emotion in every layer.

    teacher, description = load_network(weights, device)     # cstalk_bridge.models.loading
    teacher.attach(load_wav2vec("wav2vec2-base-960h"))
    channels, _ = teacher(samples, emotion, delay_hops)

The offline option: its attention and its decoder look at the whole recording, so it can neither
stream nor make a face before the sound ends. No trained teacher is shipped: wav2vec 2.0 is its
user's own, and `cstalk_bridge.models.training.train --network teacher --wav2vec FOLDER` trains the
decoder on it. A weights file holds the decoder alone and the fingerprint of the front end that it
learnt on. What the paper leaves open is ours: width and dilations, and FiLM as the way into a
layer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.cstalk.features import HISTORY_SAMPLES, LOUDEST
from cstalk_bridge.models.cstalk.network import FaceNetwork
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.models.wav2vec import Wav2Vec


TEACHER_KERNEL = 3
SLOPE = 0.2  # of the leaky rectifiers in the emotion's way, as in EmoFace


@dataclass(frozen=True, slots=True)
class TeacherSizes:
    """Sizes of the decoder, and of the front end what it must know.

    `hidden` is the front end's, `front_end` its `fingerprint`. `window_hops` is what one row is
    given of the past in training and measuring; it hears all it is given, and what follows.
    """

    hidden: int = 768
    front_end: str = ""
    width: int = 256
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    emotion_width: int = 256
    window_hops: int = 75
    phones: int = 0
    emotions: int = 8
    delays: int = 13
    channels: int = 81


class FrameNorm(nn.LayerNorm):
    """A norm over the channels of each frame, of `[batch, channels, frames]`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class TeacherBlock(nn.Module):
    """Two dilated convolutions that look both ways, each under the emotion, and a residual."""

    def __init__(self, width: int, dilation: int, emotion_width: int) -> None:
        super().__init__()
        self.norm = FrameNorm(width)
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, TEACHER_KERNEL, padding=dilation, dilation=dilation)
            for _ in range(2)
        )
        self.films = nn.ModuleList(nn.Conv1d(emotion_width, 2 * width, 1) for _ in range(2))

    def forward(self, x: Tensor, felt: Tensor) -> Tensor:
        """Return `[batch, width, rows]`; `felt` is `[batch, emotion_width, 1 or rows]`."""
        y: Tensor = self.norm(x)
        for conv, film in zip(self.convs, self.films, strict=True):
            stretch, shift = film(felt).chunk(2, 1)
            y = functional.gelu(conv(y) * (1.0 + stretch) + shift)
        return x + y


class Teacher(FaceNetwork):
    """Sound and emotion to faces, whole recordings at a time."""

    is_windowed = False

    def __init__(
        self, sizes: TeacherSizes, minimum: Sequence[float], maximum: Sequence[float]
    ) -> None:
        super().__init__(sizes, minimum, maximum)
        self.sizes = sizes
        self.decoder = TeacherDecoder(sizes)
        # In a list it is no part of this module: it is neither trained nor saved.
        self._front_end: list[Wav2Vec] = []

    def attach(self, front_end: Wav2Vec) -> None:
        """Hear through `front_end`; WeightsError where the decoder learnt on another one."""
        if fingerprint(front_end) != self.sizes.front_end:
            raise WeightsError(
                "the teacher learnt on another wav2vec 2.0 checkpoint; name the folder it was"
                " trained with"
            )
        self._front_end = [front_end]

    @property
    def front_end_parameters(self) -> int:
        """How many weights the attached front end has; 0 without one."""
        return sum(p.numel() for one in self._front_end for p in one.parameters())

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return channels as `FaceNetwork.forward` and no phones.

        The delay says which row follows which hop, and changes nothing else; what follows the last
        row that the sound reaches is that row again. WeightsError: nothing is attached;
        ValueError: longer or shorter than `Wav2Vec.forward` takes.
        """
        if not self._front_end:
            raise WeightsError("the teacher has no ears; attach a wav2vec 2.0 checkpoint")
        sound = samples[:, HISTORY_SAMPLES:].clamp(-LOUDEST, LOUDEST)
        hops = sound.shape[1] // HOP_SAMPLES
        with torch.no_grad():
            heard = self._front_end[0].to(samples.device)(sound, hops)
        rows = torch.arange(hops, device=samples.device) + 1 - delay_hops[:, None]
        wanted = rows.clamp(0, hops - 1)[..., None].expand(-1, -1, heard.shape[-1])
        weights = emotion[..., None] if emotion.dim() == 2 else emotion
        faces: Tensor = self.decoder(heard.gather(1, wanted), weights)
        return faces[..., self.sizes.window_hops - 1 :], None


class TeacherDecoder(nn.Module):
    """The TCN: frames of the front end and emotion weights to channels."""

    def __init__(self, sizes: TeacherSizes) -> None:
        super().__init__()
        self.emotion = nn.Sequential(
            nn.Conv1d(sizes.emotions, sizes.emotion_width, 1, bias=False),
            nn.LeakyReLU(SLOPE),
            nn.Conv1d(sizes.emotion_width, sizes.emotion_width, 1),
            nn.LeakyReLU(SLOPE),
        )
        self.stem = nn.Conv1d(sizes.hidden, sizes.width, 1)
        self.blocks = nn.ModuleList(
            TeacherBlock(sizes.width, dilation, sizes.emotion_width) for dilation in sizes.dilations
        )
        self.head = nn.Conv1d(sizes.width, sizes.channels, 1)

    def forward(self, heard: Tensor, weights: Tensor) -> Tensor:
        """Return `[batch, channels, rows]` for `heard` `[batch, rows, hidden]`.

        `weights` are `[batch, emotions, 1 or rows]`.
        """
        felt = self.emotion(weights)
        x = self.stem(heard.transpose(1, 2))
        for block in self.blocks:
            x = block(x, felt)
        y: Tensor = self.head(functional.gelu(x))
        return y


def fingerprint(front_end: Wav2Vec) -> str:
    """Return the SHA-256 of the front end's weights: a decoder knows only the one it learnt on."""
    digest = hashlib.sha256()
    for name, tensor in sorted(front_end.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

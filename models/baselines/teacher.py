"""CSTalk as in the paper: wav2vec 2.0, then a TCN decoder with the emotion in every layer.

    teacher, description = load_network(weights, device)     # cstalk_bridge.models.loading
    teacher.attach(load_wav2vec("wav2vec2-base-960h"))
    channels, _ = teacher(samples, emotion, delay_hops)

The offline option: its attention and its decoder span the whole recording, so it cannot stream. No
trained teacher is shipped: users supply wav2vec 2.0, and `cstalk_bridge.models.training.train
--network teacher --wav2vec FOLDER` trains the decoder on it. A weights file holds the decoder alone
and the fingerprint of the front end that it was trained on. Width, dilations and FiLM are our
choices where the paper leaves them open.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.cstalk.network import FaceNetwork
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import HISTORY_SAMPLES, LOUDEST
from cstalk_bridge.models.timing import HOP_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cstalk_bridge.models.wav2vec import Wav2Vec


TEACHER_KERNEL = 3
SLOPE = 0.2  # of the leaky rectifiers on the emotion, as in EmoFace


@dataclass(frozen=True, slots=True)
class TeacherSizes:
    """Sizes of the decoder, and the width and identity of the front end.

    `hidden` is the front end's width, `front_end` its `fingerprint`. `window_hops` is the past that
    a row is given in training and evaluation; it depends on all of it, and on what follows.
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
    """Two dilated, non-causal convolutions, each modulated by the emotion, and a residual."""

    def __init__(self, width: int, dilation: int, emotion_width: int) -> None:
        super().__init__()
        self.norm = FrameNorm(width)
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, TEACHER_KERNEL, padding=dilation, dilation=dilation)
            for _ in range(2)
        )
        self.films = nn.ModuleList(nn.Conv1d(emotion_width, 2 * width, 1) for _ in range(2))

    def forward(self, x: Tensor, emotion: Tensor) -> Tensor:
        """Return `[batch, width, rows]`; `emotion` is `[batch, emotion_width, 1 or rows]`."""
        y: Tensor = self.norm(x)
        for conv, film in zip(self.convs, self.films, strict=True):
            scale, shift = film(emotion).chunk(2, 1)
            y = functional.gelu(conv(y) * (1.0 + scale) + shift)
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
        # In a list it is not a submodule: it is neither trained nor saved.
        self._front_end: list[Wav2Vec] = []

    def attach(self, front_end: Wav2Vec) -> None:
        """Use `front_end`; WeightsError where the decoder was trained on another one."""
        if fingerprint(front_end) != self.sizes.front_end:
            raise WeightsError(
                "the teacher was trained on another wav2vec 2.0 checkpoint; name the folder of that"
                " one"
            )
        self._front_end = [front_end]

    @property
    def front_end_parameters(self) -> int:
        """Number of parameters of the attached front end; 0 without one."""
        return sum(p.numel() for one in self._front_end for p in one.parameters())

    def forward(
        self, samples: Tensor, emotion: Tensor, delay_hops: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return channels as `FaceNetwork.forward` and no phones.

        The delay only shifts rows; after the last row of the sound that row is repeated.
        WeightsError: no front end is attached; ValueError as `Wav2Vec.forward`.
        """
        if not self._front_end:
            raise WeightsError("the teacher has no front end; attach a wav2vec 2.0 checkpoint")
        sound = samples[:, HISTORY_SAMPLES:].clamp(-LOUDEST, LOUDEST)
        hops = sound.shape[1] // HOP_SAMPLES
        with torch.no_grad():
            audio = self._front_end[0].to(samples.device)(sound, hops)
        rows = torch.arange(hops, device=samples.device) + 1 - delay_hops[:, None]
        index = rows.clamp(0, hops - 1)[..., None].expand(-1, -1, audio.shape[-1])
        weights = emotion[..., None] if emotion.dim() == 2 else emotion
        faces: Tensor = self.decoder(audio.gather(1, index), weights)
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

    def forward(self, audio: Tensor, weights: Tensor) -> Tensor:
        """Return `[batch, channels, rows]` for `audio` `[batch, rows, hidden]`.

        `weights` are `[batch, emotions, 1 or rows]`.
        """
        emotion = self.emotion(weights)
        x = self.stem(audio.transpose(1, 2))
        for block in self.blocks:
            x = block(x, emotion)
        y: Tensor = self.head(functional.gelu(x))
        return y


def fingerprint(front_end: Wav2Vec) -> str:
    """Return the SHA-256 of the front end's weights, which identifies it."""
    digest = hashlib.sha256()
    for name, tensor in sorted(front_end.model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

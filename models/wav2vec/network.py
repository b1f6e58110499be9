"""wav2vec 2.0 (Baevski et al., 2020, arXiv 2006.11477) as a network, base and large.

Parameter names are those of the published checkpoints, so that weights load by name. Only what
inference needs is here: no masking, no dropout, no quantiser.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

MAX_SOUND_S = 60
"""Sound heard at once at most: attention works as the square of its length."""
MAX_BATCH_S = 120
"""Sound of all recordings of a batch together: the first convolution takes 7 MB for a second."""
VARIANCE_FLOOR = 1e-7  # of normalised sound, as the published preprocessor has it


class FrameNorm(nn.LayerNorm):
    """A norm over the channels of each frame, of `[batch, channels, frames]`."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ConvLayer(nn.Module):
    """One strided convolution of the feature encoder, and perhaps a norm."""

    def __init__(self, conv: nn.Conv1d, norm: nn.Module | None) -> None:
        super().__init__()
        self.conv = conv
        self.layer_norm = norm if norm is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, channels, frames]`."""
        return functional.gelu(self.layer_norm(self.conv(x)))


class FeatureEncoder(nn.Module):
    """Sound to frames: the stack of strided convolutions."""

    def __init__(self, sizes: Wav2VecSizes) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList()
        inputs = (1, *sizes.conv_dim[:-1])
        shapes = zip(inputs, sizes.conv_dim, sizes.conv_kernel, sizes.conv_stride, strict=True)
        for shape in shapes:
            norm: nn.Module | None = None
            if sizes.feat_extract_norm == "layer":
                norm = FrameNorm(shape[1])
            elif not self.conv_layers:
                norm = nn.GroupNorm(shape[1], shape[1])
            self.conv_layers.append(ConvLayer(nn.Conv1d(*shape, bias=sizes.conv_bias), norm))

    def forward(self, samples: Tensor) -> Tensor:
        """Return `[batch, frames, conv_dim]` for `samples` `[batch, time]`."""
        x = samples[:, None]
        for layer in self.conv_layers:
            x = layer(x)
        return x.transpose(1, 2)


class FeatureProjection(nn.Module):
    """Frames of the feature encoder to the transformer's width."""

    def __init__(self, sizes: Wav2VecSizes) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(sizes.conv_dim[-1], eps=sizes.layer_norm_eps)
        self.projection = nn.Linear(sizes.conv_dim[-1], sizes.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, frames, hidden]`."""
        y: Tensor = self.projection(self.layer_norm(x))
        return y


class PositionalConv(nn.Module):
    """Positions as a grouped convolution over the frames around each; its weight norm is folded."""

    def __init__(self, sizes: Wav2VecSizes) -> None:
        super().__init__()
        kernel, groups = sizes.num_conv_pos_embeddings, sizes.num_conv_pos_embedding_groups
        width = sizes.hidden_size
        self.conv = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, frames, hidden]`, to be added to `x` of the same shape."""
        y: Tensor = self.conv(x.transpose(1, 2))[..., : x.shape[1]]
        return functional.gelu(y).transpose(1, 2)


class Attention(nn.Module):
    """Self-attention over all frames."""

    def __init__(self, sizes: Wav2VecSizes) -> None:
        super().__init__()
        self.heads = sizes.num_attention_heads
        width = sizes.hidden_size
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, frames, hidden]`."""
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        y: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return y


class FeedForward(nn.Module):
    """Two linear layers on each frame."""

    def __init__(self, sizes: Wav2VecSizes) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(sizes.hidden_size, sizes.intermediate_size)
        self.output_dense = nn.Linear(sizes.intermediate_size, sizes.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, frames, hidden]`."""
        y: Tensor = self.output_dense(functional.gelu(self.intermediate_dense(x)))
        return y


class TransformerLayer(nn.Module):
    """Attention and feed forward, each with its residual; norms before them or after."""

    def __init__(self, sizes: Wav2VecSizes) -> None:
        super().__init__()
        self.is_norm_first = sizes.do_stable_layer_norm
        self.attention = Attention(sizes)
        self.layer_norm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)
        self.feed_forward = FeedForward(sizes)
        self.final_layer_norm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, frames, hidden]`."""
        if self.is_norm_first:
            x = x + self.attention(self.layer_norm(x))
            y: Tensor = x + self.feed_forward(self.final_layer_norm(x))
        else:
            x = self.layer_norm(x + self.attention(x))
            y = self.final_layer_norm(x + self.feed_forward(x))
        return y


class Encoder(nn.Module):
    """The transformer."""

    def __init__(self, sizes: Wav2VecSizes) -> None:
        super().__init__()
        self.is_norm_first = sizes.do_stable_layer_norm
        self.pos_conv_embed = PositionalConv(sizes)
        self.layer_norm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)
        self.layers = nn.ModuleList(TransformerLayer(sizes) for _ in range(sizes.num_hidden_layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, frames, hidden]`."""
        x = x + self.pos_conv_embed(x)
        if not self.is_norm_first:
            x = self.layer_norm(x)
        for layer in self.layers:
            x = layer(x)
        return self.layer_norm(x) if self.is_norm_first else x


class Wav2Vec(nn.Module):
    """Sound to what wav2vec 2.0 makes of it; `cstalk_bridge.models.wav2vec.load_wav2vec` makes
    one."""

    def __init__(self, sizes: Wav2VecSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.feature_extractor = FeatureEncoder(sizes)
        self.feature_projection = FeatureProjection(sizes)
        self.encoder = Encoder(sizes)

    def forward(self, samples: Tensor, frames: int | None = None) -> Tensor:
        """Return `[batch, frames, hidden]` for mono 16 kHz `samples` `[batch, time]`, -1..1.

        Frame i hears samples 320 i to 320 i + 400. With `frames`, the feature encoder's output is
        first resampled linearly to so many, its ends kept, as FaceFormer and EmoFace do.
        ValueError: less than one frame, more than `MAX_SOUND_S` each or `MAX_BATCH_S` together.
        """
        self._check(samples, frames)
        if self.sizes.do_normalize:
            variance, mean = torch.var_mean(samples, -1, keepdim=True, correction=0)
            samples = (samples - mean) / torch.sqrt(variance + VARIANCE_FLOOR)
        x: Tensor = self.feature_extractor(samples)
        if frames is not None:
            x = functional.interpolate(
                x.transpose(1, 2), frames, mode="linear", align_corners=True
            ).transpose(1, 2)
        y: Tensor = self.encoder(self.feature_projection(x))
        return y

    def _check(self, samples: Tensor, frames: int | None) -> None:
        if samples.dim() != 2:
            raise ValueError(f"samples of shape {tuple(samples.shape)}: give [batch, time]")
        least, most = self.sizes.frame_samples, MAX_SOUND_S * SAMPLE_RATE_HZ
        if not least <= samples.shape[1] <= most:
            raise ValueError(f"{samples.shape[1]} samples: give from {least} to {most}, in pieces")
        if samples.numel() > MAX_BATCH_S * SAMPLE_RATE_HZ:
            raise ValueError(f"{len(samples)} recordings: give at most {MAX_BATCH_S} s together")
        if frames is not None and not 1 <= frames <= most // HOP_SAMPLES:
            raise ValueError(f"{frames} frames: ask for 1 to {most // HOP_SAMPLES}")


@dataclass(frozen=True, slots=True)
class Wav2VecSizes:
    """The architecture, under the names of `config.json`; the defaults are the base one's.

    `feat_extract_norm` is `group` (a norm over time after the first convolution only) or `layer`
    (over channels after each), `do_stable_layer_norm` puts the norms before attention and feed
    forward instead of after. `do_normalize` is the preprocessor's: sound at unit variance.
    """

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    conv_dim: tuple[int, ...] = (512,) * 7
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_bias: bool = False
    feat_extract_norm: str = "group"
    do_stable_layer_norm: bool = False
    layer_norm_eps: float = 1e-5
    do_normalize: bool = True

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        product = 1
        for stride in self.conv_stride:
            product *= stride
        return product

    @property
    def frame_samples(self) -> int:
        """Samples that the convolutions hear for one frame."""
        heard = 1
        for kernel, stride in zip(self.conv_kernel[::-1], self.conv_stride[::-1], strict=True):
            heard = (heard - 1) * stride + kernel
        return heard


BASE = Wav2VecSizes()
LARGE = Wav2VecSizes(
    hidden_size=1024,
    num_hidden_layers=24,
    num_attention_heads=16,
    intermediate_size=4096,
    conv_bias=True,
    feat_extract_norm="layer",
    do_stable_layer_norm=True,
)

"""The sizes of a wav2vec 2.0 network, under the names of the published `config.json`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
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


BASE = Sizes()
LARGE = Sizes(
    hidden_size=1024,
    num_hidden_layers=24,
    num_attention_heads=16,
    intermediate_size=4096,
    conv_bias=True,
    feat_extract_norm="layer",
    do_stable_layer_norm=True,
)

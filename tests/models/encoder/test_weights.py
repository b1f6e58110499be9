"""Encoder weights come back as they were, and what is wrong with a file is said."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
import torch

from cstalk_bridge.models.encoder.weights import (
    FORMAT,
    EncoderDescription,
    load_encoder,
    save_encoder,
)
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.weights_format import write_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.encoder.network import Encoder


ROUNDED = 1e-3
CARD = {"licence": "Apache-2.0"}


def test_it_comes_back_rounded_to_half_precision(encoder: Encoder, tmp_path: Path) -> None:
    heads = torch.nn.Linear(encoder.sizes.width, 2)
    described = EncoderDescription(encoder.sizes, CARD, ("SIL", "bilabial"))
    path = tmp_path / "e.safetensors"
    save_encoder(path, encoder, described, heads)
    back, read_off, description = load_encoder(path)
    assert description == described
    assert read_off is not None
    assert (read_off.weight - heads.weight).abs().max() < ROUNDED
    for name, tensor in encoder.state_dict().items():
        kept = back.state_dict()[name]
        assert kept.dtype == torch.float32
        assert (kept - tensor).abs().max() < ROUNDED * max(1.0, float(tensor.abs().max()))


def test_heads_may_be_absent(encoder: Encoder, tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    save_encoder(path, encoder, EncoderDescription(encoder.sizes, CARD))
    assert load_encoder(path)[1] is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"reach_hops": 50}, "other delays"),
        (
            {"sizes": {"width": 10**6, "heads": 6, "inner": 48, "layers": 3}},
            "sizes are out of range",
        ),
        ({"sizes": {"width": 24, "heads": 5, "inner": 48, "layers": 3}}, "sizes are out of range"),
        ({"sizes": {"width": 48, "heads": 2, "inner": 48, "layers": 3}}, "do not fit"),
        ({"sizes": "large"}, "damaged"),
        ({"heads": ["SIL"]}, "do not fit"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    encoder: Encoder, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    path = tmp_path / "e.safetensors"
    fields = asdict(EncoderDescription(encoder.sizes, CARD)) | changed
    write_tensors(path, {n: t.half() for n, t in encoder.state_dict().items()}, FORMAT, fields)
    with pytest.raises(WeightsError, match=message):
        load_encoder(path)

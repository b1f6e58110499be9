"""What the encoder's training writes about the weights it makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from models.encoder.network import Sizes
from models.encoder.weights import EncoderDescription, save
from models.training.contents import text_digest
from models.training.sources import SOURCES, credits_of, licence_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from models.encoder.network import Encoder
    from models.training.encoder.taught import TaughtSet

NOTICE = (
    "Grown from the encoder of OpenAI Whisper tiny.en, Copyright (c) 2022 OpenAI, under the MIT"
    " licence; the notice stands in the model card."
)


def describe(
    taught: TaughtSet,
    settings: Mapping[str, object],
    begun_with: Mapping[str, object],
    heads: tuple[str, ...] = (),
) -> EncoderDescription:
    """Return the description of an encoder that learned from `taught`.

    `begun_with` is the card of the weights that it went on from; empty where that was Whisper.
    """
    minutes = taught.minutes()
    known = [source for source in minutes if source in SOURCES]
    used = dict(settings)
    if begun_with:
        used["begun_with"] = begun_with["training_hash"]
    return EncoderDescription(
        sizes=Sizes(),
        heads=heads,
        card={
            "licence": licence_of(known, [str(begun_with["licence"])] if begun_with else []),
            "notice": NOTICE,
            "data": credits_of(known),
            "minutes": minutes,
            "settings": used,
            "training_hash": text_digest(json.dumps(used), json.dumps(taught.keys)),
        },
    )


def write_weights(
    path: Path, encoder: Encoder, description: EncoderDescription, heads: nn.Linear | None = None
) -> None:
    """Write what was learned so far, whole or not at all, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, encoder, description, heads)

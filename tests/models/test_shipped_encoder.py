"""The shipped encoder recognises phones, lips and teeth, and silence in sounds without speech.

The sound is the bundled recording, a voice that did not train it in these sentences;
`speech_phones.json` is its forced alignment (`cstalk_bridge.models.training.alignment`).
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from cstalk_bridge import models
from cstalk_bridge.models.encoder.network import Encoder, encode
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.features import RIGHT_HOPS, mono_16k
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.training.alignment import phone_indices
from cstalk_bridge.models.training.encoder.phones import EVENTS, HEADS
from cstalk_bridge.models.training.encoder.prepare import SOUND_GENERATORS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.models.training.encoder.prepare import SoundGenerator

WEIGHTS = Path(models.__file__).parent / "weights/encoder.safetensors"
SEGMENTS = [
    tuple(s) for s in json.loads(Path(__file__).with_name("speech_phones.json").read_text())
]
LARGEST_BYTES = 13 * 1024 * 1024
NOISE_RMS = 0.03
SETTLED_ROWS = 25


@pytest.fixture(scope="module")
def encoder_and_heads() -> tuple[Encoder, torch.nn.Linear]:
    encoder, heads, _ = load_encoder(WEIGHTS)
    assert heads is not None
    return encoder, heads


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    with resources.files("cstalk_bridge.audio").joinpath("speech.ogg").open("rb") as file:
        return mono_16k(*soundfile.read(file, dtype="float32"))


def logits_of(
    encoder_and_heads: tuple[Encoder, torch.nn.Linear], sound: NDArray[np.float32], delay: int = 1
) -> NDArray[np.float32]:
    """Return the heads' logits, [rows, HEADS]."""
    encoder, heads = encoder_and_heads
    return heads(torch.from_numpy(encode(encoder, sound, delay))).numpy()


@pytest.mark.parametrize("delay", range(len(RIGHT_HOPS)))
def test_phones_are_recognised(
    encoder_and_heads: tuple[Encoder, torch.nn.Linear], speech: NDArray[np.float32], delay: int
) -> None:
    logits = logits_of(encoder_and_heads, speech, delay)
    phones = phone_indices(SEGMENTS, len(logits))
    right = logits[:, : len(PHONES)].argmax(1) == phones
    assert right[phones > 0].mean() > 0.6
    assert right[phones == 0].mean() > 0.9


@pytest.mark.parametrize("event", EVENTS)
def test_events_of_lips_and_teeth_are_recognised(
    encoder_and_heads: tuple[Encoder, torch.nn.Linear], speech: NDArray[np.float32], event: str
) -> None:
    happens = logits_of(encoder_and_heads, speech)[:, HEADS.index(event)] > 0
    found = [
        happens[int(start_s * 50) : int(end_s * 50) + 2].any()
        for start_s, end_s, phone in SEGMENTS
        if phone in EVENTS[event]
    ]
    assert len(found) >= 5
    assert sum(found) >= len(found) - 2
    phones = phone_indices(SEGMENTS, len(happens))
    others = [PHONES[phone] not in EVENTS[event] for phone in phones]
    assert happens[others].mean() < 0.06


@pytest.mark.parametrize("gain_db", [-30, -15, 0])
def test_a_quiet_voice_is_recognised_too(
    encoder_and_heads: tuple[Encoder, torch.nn.Linear], speech: NDArray[np.float32], gain_db: float
) -> None:
    logits = logits_of(encoder_and_heads, speech * np.float32(10 ** (gain_db / 20)))
    phones = phone_indices(SEGMENTS, len(logits))
    assert (logits[:, : len(PHONES)].argmax(1) == phones)[phones > 0].mean() > 0.55


@pytest.mark.parametrize("make_sound", SOUND_GENERATORS, ids=lambda make_sound: make_sound.__name__)
def test_what_is_no_speech_is_silence(
    encoder_and_heads: tuple[Encoder, torch.nn.Linear], make_sound: SoundGenerator
) -> None:
    sound = make_sound(3 * 16_000, np.random.default_rng(99))
    sound = sound / max(float(np.sqrt(np.square(sound).mean())), 1e-9) * NOISE_RMS
    logits = logits_of(encoder_and_heads, sound.astype(np.float32))[SETTLED_ROWS:]
    assert (logits[:, : len(PHONES)].argmax(1) == 0).mean() > 0.95
    assert (logits[:, len(PHONES) :] > 0).mean() < 0.05


def test_the_file_says_what_it_is() -> None:
    _, _, description = load_encoder(WEIGHTS)
    assert WEIGHTS.stat().st_size < LARGEST_BYTES
    assert description.heads == HEADS
    assert description.card["licence"] == "Apache-2.0"
    assert "OpenAI" in description.card["notice"]
    assert not {"ravdess", "strangers"} & set(description.card["minutes"])


def test_the_card_carries_the_notice() -> None:
    text = WEIGHTS.with_suffix(".md").read_text("utf-8")
    assert "Copyright (c) 2022 OpenAI" in text
    assert "Permission is hereby granted" in text

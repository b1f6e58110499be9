"""The shipped weights make speech: shut in silence, sealed on p b m, open on vowels, round on w uw.

The sound is the bundled recording, a voice that did not train them in these sentences;
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

from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.loading import DEFAULT_PATH
from cstalk_bridge.models.training.captured_faces import TEETH_MM
from cstalk_bridge.models.training.rules import POSTURES

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator

LARGEST_BYTES = 20 * 1024 * 1024
PHONES = json.loads(Path(__file__).with_name("speech_phones.json").read_text("utf-8"))
TOLERANCE_S = 0.03  # of the alignment: nine in ten phones are within 50 ms


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator(device="cpu")


@pytest.fixture(scope="module")
def speech() -> tuple[np.ndarray, int]:
    with resources.files("cstalk_bridge.audio").joinpath("speech.ogg").open("rb") as file:
        samples, rate_hz = soundfile.read(file, dtype="float32")
    return samples, rate_hz


class Face:
    """Curves by channel, and their rows under some phones."""

    def __init__(self, generator: Generator, rows: np.ndarray) -> None:
        self.columns = dict(zip(generator.channels, rows.T, strict=True))

    def on(self, channel: str, phones: set[str], widen_s: float = 0.0) -> list[np.ndarray]:
        curve = self.columns[channel]
        return [
            curve[int((start - widen_s) * 50) : int((end + widen_s) * 50) + 1]
            for start, end, phone in PHONES
            if phone in phones
        ]


@pytest.fixture(scope="module")
def face(generator: Generator, speech: tuple[np.ndarray, int]) -> Face:
    return Face(generator, generator.generate(*speech, lookahead_ms=80))


JAW, LIPS, BITE, PURSE = (
    "CTRL_C_jaw.ty",
    "CTRL_L_mouth_lipsTogetherU.ty",
    "CTRL_R_mouth_lipBiteD.ty",
    "CTRL_L_mouth_purseD.ty",
)

SEALED = 0.5  # held together by so much, lips count as shut


def test_lips_seal_on_bilabials(face: Face) -> None:
    sealed = [run.max() > SEALED for run in face.on(LIPS, {"P", "B", "M"}, TOLERANCE_S)]
    assert len(sealed) >= 10
    assert np.mean(sealed) >= 0.8


def test_lips_part_on_vowels(face: Face) -> None:
    vowels = {"AA", "AE", "AO", "EH", "IY", "UW"}
    parted = [run.min() < SEALED for run in face.on(LIPS, vowels, TOLERANCE_S)]
    assert np.mean(parted) >= 0.9


def test_the_jaw_opens_on_vowels_and_rests_in_silence(face: Face) -> None:
    vowels = np.concatenate(face.on(JAW, {"AA", "AE", "AO", "EH"}))
    pause = face.columns[JAW][int(4.07 * 50) : int(4.38 * 50)]
    assert vowels.mean() > 0.12  # the lips' own muscles bring the rest
    assert pause.max() < 0.05
    assert face.columns[JAW][-20:].max() < 0.05


def test_teeth_meet_on_s_and_z(face: Face) -> None:
    apart_mm = [TEETH_MM * run.min() for run in face.on(JAW, {"S", "Z"})]
    assert np.mean(np.array(apart_mm) < 1.5) >= 0.8


def test_lips_round_on_w_and_uw_only(face: Face) -> None:
    rounded = np.mean([run.max() for run in face.on(PURSE, {"W", "UW"})])
    spread = np.mean([run.mean() for run in face.on(PURSE, {"IY", "S", "EH", "Z"})])
    assert rounded > 0.3
    assert rounded > 2 * spread


def test_the_lower_lip_meets_the_teeth_on_f_and_v(face: Face) -> None:
    assert np.mean([run.max() > 0.3 for run in face.on(BITE, {"F", "V"}, TOLERANCE_S)]) >= 0.6


@pytest.mark.parametrize("level_dbfs", [-200, -70, -50, -35])
def test_the_mouth_stays_shut_in_silence_and_noise(generator: Generator, level_dbfs: float) -> None:
    noise = np.random.default_rng(2).standard_normal(5 * 16_000) * 10 ** (level_dbfs / 20)
    rows = generator.generate(noise.astype(np.float32), 16_000)[50:-12]
    jaw = rows[:, generator.channels.index(JAW)]
    assert jaw.max() < 0.05
    # Lips that are held together more or less leave a shut mouth shut.
    others = [i for i, name in enumerate(generator.channels) if "lipsTogether" not in name]
    assert np.abs(rows[:, others]).max() < 0.12


def test_emotions_show_and_mix(generator: Generator, speech: tuple[np.ndarray, int]) -> None:
    def mean(channel: str, **emotion: float) -> float:
        rows = generator.generate(*speech, emotion=emotion)
        return float(rows[:, generator.channels.index(channel)].mean())

    assert mean("CTRL_L_mouth_cornerPull.ty", happy=1.0) > 0.25
    frown = POSTURES[EMOTIONS.index("angry"), AUDIO_DRIVEN.index("CTRL_L_brow_down.ty")]
    assert 0.85 * frown < mean("CTRL_L_brow_down.ty", angry=1.0) < 1.1 * frown
    assert mean("CTRL_L_eye_blink.ty", surprised=1.0) < -0.3
    half = mean("CTRL_L_mouth_cornerPull.ty", happy=0.5)
    assert 0.1 < half < mean("CTRL_L_mouth_cornerPull.ty", happy=1.0)


def test_an_emotion_leaves_the_closures(
    generator: Generator, speech: tuple[np.ndarray, int]
) -> None:
    for name in generator.emotions:
        face = Face(generator, generator.generate(*speech, emotion={name: 1.0}))
        sealed = [run.max() > SEALED for run in face.on(LIPS, {"P", "B", "M"}, TOLERANCE_S)]
        assert np.mean(sealed) >= 0.75, name


def test_the_file_is_small_and_says_what_it_is(generator: Generator) -> None:
    assert DEFAULT_PATH.stat().st_size <= LARGEST_BYTES
    assert generator.card["licence"] == "Apache-2.0"
    assert set(generator.card["minutes"]) == set(generator.card["data"])
    assert DEFAULT_PATH.with_suffix(".md").exists()

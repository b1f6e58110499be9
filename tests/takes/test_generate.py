from __future__ import annotations

import threading

import numpy as np
import pytest
import soundfile

from bridge.audio.dc_block import DcBlock
from bridge.audio.opening import SPEECH_PATH
from bridge.face.alive.levels import AS_GENERATED
from bridge.takes.emotions import EmotionCourse, Key
from bridge.takes.generate import StoppedError, generate_take
from bridge.takes.hearing import heard, heard_samples
from bridge.takes.settings import Settings
from bridge.takes.sound import SampledSound, open_sound
from models import load_generator
from tests.networks import GUARDED, UNGUARDED, small_generator


@pytest.fixture(scope="module")
def generator():
    return load_generator(device="cpu")


def test_a_take_in_pieces_is_the_face_of_the_whole_recording(generator) -> None:
    samples, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    shares: list[float] = []
    settings = Settings(
        EmotionCourse.constant({"happy": 0.7}), lookahead_ms=160, levels=AS_GENERATED
    )
    take = generate_take(
        generator, open_sound(SPEECH_PATH), settings, slate="speech", progress=shares.append
    )
    samples = DcBlock(rate_hz).push(samples)
    whole = generator.generate(samples, rate_hz, {"happy": 0.7}, lookahead_ms=160)
    assert np.abs(take.board - whole).max() < 1e-3
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert take.making["lookahead_ms"] == 160
    assert take.channels == generator.channels


def test_emotion_keys_change_the_face_from_their_time_on(generator) -> None:
    sound = open_sound(SPEECH_PATH)
    keys = EmotionCourse((Key(at_s=4.0, emotion={"happy": 1.0}, over_s=0.5),))
    plain = generate_take(generator, sound, Settings(), slate="a").board
    happy = generate_take(generator, sound, Settings(keys), slate="a").board
    smile = generator.channels.index("CTRL_L_mouth_cornerPull.ty")
    assert np.abs(happy - plain)[:200].max() < 1e-3
    assert (happy - plain)[300:, smile].mean() > 0.2


def test_a_take_is_made_with_its_mouth_guard_and_tells_it() -> None:
    guarded, happy = small_generator(GUARDED), EmotionCourse.constant({"happy": 1.0})
    sound = SampledSound(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32), 16_000)
    low, high = (
        generate_take(guarded, sound, Settings(happy, mouth_guard=guard), slate="a")
        for guard in (0.0, 1.0)
    )
    assert np.abs(low.board - high.board).max() > 1e-2
    assert (low.making["mouth_guard"], high.making["mouth_guard"]) == (0.0, 1.0)


def test_a_take_of_weights_without_a_guard_tells_none_and_takes_no_other() -> None:
    generator, sound = small_generator(UNGUARDED), SampledSound(np.zeros(800, np.float32), 16_000)
    assert "mouth_guard" not in generate_take(generator, sound, Settings(), slate="a").making
    with pytest.raises(ValueError, match="trained without"):
        generate_take(generator, sound, Settings(mouth_guard=0.2), slate="a")


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("frames", [1, 319, 12_345, 700_001])
def test_what_is_heard_has_the_length_that_was_said(rate_hz: int, frames: int) -> None:
    sound = SampledSound(np.ones(frames, np.float32), rate_hz)
    total = np.concatenate(list(heard(sound)))
    assert len(total) == heard_samples(sound) == -(-frames * 16_000 // rate_hz)


def test_silence_of_no_length_gives_a_take_of_no_length(generator) -> None:
    take = generate_take(
        generator, SampledSound(np.zeros(0, np.float32), 16_000), Settings(), slate=""
    )
    assert take.board.shape == (0, len(take.channels))


def test_a_generation_stops_when_it_is_told(generator) -> None:
    stop = threading.Event()
    sound = SampledSound(np.zeros(16_000 * 100, np.float32), 16_000)
    with pytest.raises(StoppedError):
        generate_take(
            generator, sound, Settings(), slate="a", progress=lambda _: stop.set(), stop=stop
        )

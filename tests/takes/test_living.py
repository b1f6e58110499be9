"""Takes that live: what a run would show, and the words left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bridge.audio.hop import HOP_S, HOP_SAMPLES
from bridge.audio.opening import SPEECH_PATH
from bridge.clock.rate import FRAME_RATES
from bridge.face.alive.cues import Cues
from bridge.face.alive.levels import AS_GENERATED, Levels
from bridge.face.alive.life import Life
from bridge.face.alive.prosody import ProsodyTracker
from bridge.face.alive.regions import MOUTH_REGIONS
from bridge.takes.emotions import EmotionCourse, Key
from bridge.takes.generate import generate_take
from bridge.takes.living import enliven, prosodies
from bridge.takes.settings import Settings
from bridge.takes.sound import SampledSound, open_sound
from models import load_generator
from models.board import AUDIO_DRIVEN, CHANNELS, INDEX
from models.emotions import EMOTIONS
from tests.face.alive.conversation import speech
from tests.networks import GUARDED, small_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bridge.takes.take import Take

SETTINGS = Settings(EmotionCourse((Key(at_s=1.0, emotion={"happy": 1.0}, over_s=1.5),)))


def take(settings: Settings = SETTINGS, slate: str = "slate") -> Take:
    generator = small_generator(GUARDED)
    return generate_take(generator, open_sound(SPEECH_PATH), settings, slate=slate)


def board(made: Take) -> NDArray[np.float32]:
    return made.whole_board()


def test_life_leaves_the_words_alone_to_the_last_bit() -> None:
    alive, generated = take(), take(replace(SETTINGS, levels=AS_GENERATED))
    mouth = [channel.index for channel in CHANNELS if channel.region in MOUTH_REGIONS]
    np.testing.assert_array_equal(board(alive)[:, mouth], board(generated)[:, mouth])
    others = [channel.index for channel in CHANNELS if channel.region not in MOUTH_REGIONS]
    assert np.abs(board(alive) - board(generated))[:, others].max() > 0.3
    assert generated.channels == AUDIO_DRIVEN
    assert not generated.head.any()


def test_eyes_lids_brows_and_head_of_a_take_move() -> None:
    alive = take(slate="another")
    moved = np.ptp(board(alive), axis=0)
    for name in ("L_eye.tx", "R_eye.tx", "L_eye.ty", "R_eye.ty", "L_eye_blink.ty"):
        assert moved[INDEX[f"CTRL_{name}"]] > 0.02, name
    assert np.degrees(np.ptp(alive.head[:, :3], axis=0)).min() > 0.5
    assert np.abs(np.diff(alive.head[:, :3], axis=0)).max() < np.radians(40.0) * HOP_S


def test_a_slate_or_a_seed_makes_one_life_and_another_another() -> None:
    first, again, other = take(slate="a"), take(slate="a"), take(slate="b")
    np.testing.assert_array_equal(first.head, again.head)
    assert np.abs(first.head - other.head).max() > 0.01
    seeded = replace(SETTINGS, seed=7)
    np.testing.assert_array_equal(take(seeded, "a").head, take(seeded, "b").head)
    assert take(seeded).making["seed"] == 7
    assert take(replace(SETTINGS, levels=Levels(gaze=0.5))).making["level_gaze"] == 0.5


@pytest.mark.parametrize("lookahead_hops", [0, 4])
def test_a_take_shows_what_a_run_shows(lookahead_hops: int) -> None:
    sound = speech()[: 300 * HOP_SAMPLES]
    random = np.random.default_rng(5)
    rows = random.uniform(0.0, 0.5, (300, len(AUDIO_DRIVEN))).astype(np.float32)
    emotions = np.zeros((300, len(EMOTIONS)), dtype=np.float32)
    emotions[100:, 1] = 1.0
    levels = Levels(mouth=0.8, symmetry=0.5)
    channels, faces, head = enliven(
        rows,
        AUDIO_DRIVEN,
        [sound[:5000], sound[5000:]],
        emotions,
        life=Life(9, levels),
        lookahead_hops=lookahead_hops,
    )
    tracker, life = ProsodyTracker(), Life(9, levels)
    heard = [tracker.step(hop) for hop in sound.reshape(-1, HOP_SAMPLES)]
    columns = [INDEX[name] for name in AUDIO_DRIVEN]
    for row in range(300):
        given = np.zeros(len(CHANNELS), dtype=np.float32)
        given[columns] = rows[row]
        cues = Cues(heard[min(row + lookahead_hops, 299)], emotions[row])
        frame = life.frame(row * HOP_S, cues, given)
        shown = frame.board[[INDEX[name] for name in channels]]
        np.testing.assert_allclose(faces[row], shown, atol=1e-6)
        np.testing.assert_array_equal(head[row], frame.head)


def test_sound_is_heard_alike_however_it_is_cut() -> None:
    sound = speech()[: 200 * HOP_SAMPLES - 100]
    whole = list(prosodies([sound]))
    assert len(whole) == 200
    assert list(prosodies(np.array_split(sound, 37))) == whole
    assert list(prosodies([])) == []


@pytest.mark.parametrize("emotion", [name for name in EMOTIONS if name != "neutral"])
def test_a_changed_emotion_blends_in_without_a_pop(emotion: str) -> None:
    keys = (
        Key(at_s=2.0, emotion={emotion: 1.0}, over_s=1.5),
        Key(at_s=5.0, emotion={"happy" if emotion == "sad" else "sad": 1.0}, over_s=1.5),
    )
    noise = np.random.default_rng(6).normal(0.0, 1e-4, 8 * 16_000).astype(np.float32)
    # Lids and eyes are fast by nature; all else is what an emotion moves.
    settings = Settings(EmotionCourse(keys), levels=Levels(blink=0.0, gaze=0.0))
    silent = SampledSound(noise, 16_000)
    shown = generate_take(load_generator(device="cpu"), silent, settings, slate="change")
    frames = shown.at(FRAME_RATES["60"])
    steps = np.abs(np.diff(frames.whole_board(), axis=0)).max(axis=0)
    assert steps.max() < 0.06, CHANNELS[int(steps.argmax())].name
    assert np.abs(np.diff(frames.head, axis=0)).max() < 0.01
    strength = np.linalg.norm(frames.whole_board()[120:210] - frames.whole_board()[119], axis=1)
    assert strength[-1] > 0.3
    assert np.diff(strength).min() > -0.02 * strength[-1]

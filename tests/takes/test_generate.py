"""Takes with procedural animation: equal to a run, with speech curves unchanged."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.audio.preprocessing import DcBlock
from cstalk_bridge.audio.source import HOP_S, HOP_SAMPLES
from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory, Keyframe
from cstalk_bridge.face.procedural.animation import (
    MOST_PARTED,
    NO_ANIMATION_LEVELS,
    Levels,
    ProceduralAnimation,
)
from cstalk_bridge.face.procedural.cues import Cues
from cstalk_bridge.face.procedural.muscles import gained_channels, shifted_channels
from cstalk_bridge.face.procedural.prosody import ProsodyTracker
from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNEL_INDEX, CHANNELS, MOUTH_REGIONS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.takes.generate import (
    GenerationConfig,
    StoppedError,
    add_procedural_animation,
    generate_take,
    prosodies,
)
from cstalk_bridge.takes.sound import SampledSound, network_input, network_input_samples, open_sound
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.face.procedural.conversation import speech
from tests.networks import GUARDED, UNGUARDED, small_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.takes.take import Take


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator(device="cpu")


def test_generation_in_pieces_equals_generation_in_one_pass(generator: Generator) -> None:
    samples, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    fractions: list[float] = []
    settings = GenerationConfig(
        EmotionTrajectory.constant({"happy": 0.7}), lookahead_ms=160, levels=NO_ANIMATION_LEVELS
    )
    take = generate_take(
        generator, open_sound(SPEECH_PATH), settings, slate="speech", progress=fractions.append
    )
    samples = DcBlock(rate_hz).push(samples)
    whole = generator.generate(samples, rate_hz, {"happy": 0.7}, lookahead_ms=160)
    assert np.abs(take.board - whole).max() < 1e-3
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)
    assert take.provenance["lookahead_ms"] == 160
    assert take.channels == generator.channels


def test_emotion_keyframes_change_the_face_from_their_time_on(generator: Generator) -> None:
    sound = open_sound(SPEECH_PATH)
    keys = EmotionTrajectory((Keyframe(at_s=4.0, emotion={"happy": 1.0}, over_s=0.5),))
    plain = generate_take(generator, sound, GenerationConfig(), slate="a").board
    happy = generate_take(generator, sound, GenerationConfig(keys), slate="a").board
    smile = generator.channels.index("CTRL_L_mouth_cornerPull.ty")
    assert np.abs(happy - plain)[:200].max() < 1e-3
    assert (happy - plain)[300:, smile].mean() > 0.2


def test_a_take_is_made_with_its_mouth_guard_and_reports_it() -> None:
    guarded, happy = small_generator(GUARDED), EmotionTrajectory.constant({"happy": 1.0})
    sound = SampledSound(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32), 16_000)
    low, high = (
        generate_take(guarded, sound, GenerationConfig(happy, mouth_guard=guard), slate="a")
        for guard in (0.0, 1.0)
    )
    assert np.abs(low.board - high.board).max() > 1e-2
    assert (low.provenance["mouth_guard"], high.provenance["mouth_guard"]) == (0.0, 1.0)


def test_a_take_of_weights_without_mouth_guard_reports_none_and_refuses_one() -> None:
    generator, sound = small_generator(UNGUARDED), SampledSound(np.zeros(800, np.float32), 16_000)
    assert (
        "mouth_guard"
        not in generate_take(generator, sound, GenerationConfig(), slate="a").provenance
    )
    with pytest.raises(ValueError, match="trained without"):
        generate_take(generator, sound, GenerationConfig(mouth_guard=0.2), slate="a")


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("frames", [1, 319, 12_345, 700_001])
def test_a_take_has_the_length_of_its_sound(rate_hz: int, frames: int) -> None:
    sound = SampledSound(np.ones(frames, np.float32), rate_hz)
    total = np.concatenate(list(network_input(sound)))
    assert len(total) == network_input_samples(sound) == -(-frames * 16_000 // rate_hz)


def test_empty_sound_gives_an_empty_take(generator: Generator) -> None:
    take = generate_take(
        generator, SampledSound(np.zeros(0, np.float32), 16_000), GenerationConfig(), slate=""
    )
    assert take.board.shape == (0, len(take.channels))


def test_generation_stops_on_request(generator: Generator) -> None:
    stop = threading.Event()
    sound = SampledSound(np.zeros(16_000 * 100, np.float32), 16_000)
    with pytest.raises(StoppedError):
        generate_take(
            generator,
            sound,
            GenerationConfig(),
            slate="a",
            progress=lambda _: stop.set(),
            stop=stop,
        )


SETTINGS = GenerationConfig(
    EmotionTrajectory((Keyframe(at_s=1.0, emotion={"happy": 1.0}, over_s=1.5),))
)


def take(settings: GenerationConfig = SETTINGS, slate: str = "slate") -> Take:
    generator = small_generator(GUARDED)
    return generate_take(generator, open_sound(SPEECH_PATH), settings, slate=slate)


def board(made: Take) -> NDArray[np.float32]:
    return made.whole_board()


def test_procedural_animation_does_not_change_speech_curves_at_all() -> None:
    animated, generated = take(), take(replace(SETTINGS, levels=NO_ANIMATION_LEVELS))
    touched = (np.abs(shifted_channels()).sum(0) + gained_channels().sum(0)).tolist()
    lips = [
        channel.index
        for channel in CHANNELS
        if channel.region in MOUTH_REGIONS
        and not touched[channel.index]
        and channel.name.split("_", 2)[2] not in MOST_PARTED
    ]
    assert len(lips) > 70
    np.testing.assert_array_equal(board(animated)[:, lips], board(generated)[:, lips])
    others = [channel.index for channel in CHANNELS if channel.region not in MOUTH_REGIONS]
    assert np.abs(board(animated) - board(generated))[:, others].max() > 0.3
    assert generated.channels == AUDIO_DRIVEN
    assert not generated.head.any()


def test_eyes_lids_brows_and_head_of_a_take_move() -> None:
    animated = take(slate="another")
    moved = np.ptp(board(animated), axis=0)
    for name in ("L_eye.tx", "R_eye.tx", "L_eye.ty", "R_eye.ty", "L_eye_blink.ty"):
        assert moved[CHANNEL_INDEX[f"CTRL_{name}"]] > 0.02, name
    assert np.degrees(np.ptp(animated.head[:, :3], axis=0)).min() > 0.5
    assert np.abs(np.diff(animated.head[:, :3], axis=0)).max() < np.radians(40.0) * HOP_S


def test_animation_is_seeded_by_slate_or_seed() -> None:
    first, again, other = take(slate="a"), take(slate="a"), take(slate="b")
    np.testing.assert_array_equal(first.head, again.head)
    assert np.abs(first.head - other.head).max() > 0.01
    seeded = replace(SETTINGS, seed=7)
    np.testing.assert_array_equal(take(seeded, "a").head, take(seeded, "b").head)
    assert take(seeded).provenance["seed"] == 7
    assert take(replace(SETTINGS, levels=Levels(gaze=0.5))).provenance["level_gaze"] == 0.5


@pytest.mark.parametrize("lookahead_hops", [0, 4])
def test_a_take_equals_what_a_run_shows(lookahead_hops: int) -> None:
    sound = speech()[: 300 * HOP_SAMPLES]
    random = np.random.default_rng(5)
    rows = random.uniform(0.0, 0.5, (300, len(AUDIO_DRIVEN))).astype(np.float32)
    emotions = np.zeros((300, len(EMOTIONS)), dtype=np.float32)
    emotions[100:, 1] = 1.0
    levels = Levels(mouth=0.8, symmetry=0.5)
    channels, faces, head = add_procedural_animation(
        rows,
        AUDIO_DRIVEN,
        [sound[:5000], sound[5000:]],
        emotions,
        animation=ProceduralAnimation(9, levels),
        lookahead_hops=lookahead_hops,
    )
    tracker, animation = ProsodyTracker(), ProceduralAnimation(9, levels)
    prosody = [tracker.step(hop) for hop in sound.reshape(-1, HOP_SAMPLES)]
    columns = [CHANNEL_INDEX[name] for name in AUDIO_DRIVEN]
    for row in range(300):
        given = np.zeros(len(CHANNELS), dtype=np.float32)
        given[columns] = rows[row]
        cues = Cues(prosody[min(row + lookahead_hops, 299)], emotions[row])
        frame = animation.frame(row * HOP_S, cues, given)
        shown = frame.board[[CHANNEL_INDEX[name] for name in channels]]
        np.testing.assert_allclose(faces[row], shown, atol=1e-6)
        np.testing.assert_array_equal(head[row], frame.head)


def test_block_boundaries_do_not_change_the_result() -> None:
    sound = speech()[: 200 * HOP_SAMPLES - 100]
    whole = list(prosodies([sound]))
    assert len(whole) == 200
    assert list(prosodies(np.array_split(sound, 37))) == whole
    assert list(prosodies([])) == []


@pytest.mark.parametrize("emotion", [name for name in EMOTIONS if name != "neutral"])
def test_a_changed_emotion_fades_in_without_a_pop(emotion: str) -> None:
    keys = (
        Keyframe(at_s=2.0, emotion={emotion: 1.0}, over_s=1.5),
        Keyframe(at_s=5.0, emotion={"happy" if emotion == "sad" else "sad": 1.0}, over_s=1.5),
    )
    noise = np.random.default_rng(6).normal(0.0, 1e-4, 8 * 16_000).astype(np.float32)
    # Lids and eyes are fast by nature; all else is what an emotion moves.
    settings = GenerationConfig(EmotionTrajectory(keys), levels=Levels(blink=0.0, gaze=0.0))
    silent = SampledSound(noise, 16_000)
    shown = generate_take(load_generator(device="cpu"), silent, settings, slate="change")
    frames = shown.at(FRAME_RATES["60"])
    steps = np.abs(np.diff(frames.whole_board(), axis=0)).max(axis=0)
    assert steps.max() < 0.06, CHANNELS[int(steps.argmax())].name
    assert np.abs(np.diff(frames.head, axis=0)).max() < 0.01
    strength = np.linalg.norm(frames.whole_board()[120:210] - frames.whole_board()[119], axis=1)
    assert strength[-1] > 0.3
    assert np.diff(strength).min() > -0.02 * strength[-1]


def test_both_ends_of_a_take_are_usable_poses(generator: Generator) -> None:
    voice, rate_hz = soundfile.read(SPEECH_PATH, dtype="float32")
    quiet = np.zeros(rate_hz // 2, np.float32)
    sound = SampledSound(np.concatenate([quiet, voice[: 4 * rate_hz], quiet]), rate_hz)
    levels, blinks = Levels(blink=2.0), 0
    for slate in ("one", "two", "three"):
        take = generate_take(generator, sound, GenerationConfig(levels=levels), slate=slate)
        lids = take.board[:, [take.channels.index(f"CTRL_{side}_eye_blink.ty") for side in "LR"]]
        end = round(0.25 * take.rate.hz)
        blinks += bool((lids > 0.7).any())
        assert max(lids[:end].max(), lids[-end:].max()) < 0.3, slate
        for row in (0, -1):
            assert np.isfinite(take.board[row]).all()
            assert take.board[row, take.channels.index("CTRL_C_jaw.ty")] < 0.03
    assert blinks, "it blinks in between"


def test_an_emotion_at_the_start_is_there_from_the_first_frame() -> None:
    key = Keyframe(at_s=0.0, emotion={"happy": 1.0})
    assert key.over_s > 0
    weights = EmotionTrajectory((key,)).weights(np.arange(10) / 50)
    assert (weights[:, EMOTIONS.index("happy")] == 1).all()

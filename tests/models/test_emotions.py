"""The mouth guard: an input of networks trained with one, refused by the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.architecture import Architecture, Description
from cstalk_bridge.models.cstalk.torch_engine import recording_faces
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS, MOUTH_GUARD, conditions
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.loading import build_network, create_generator
from tests.models.baselines.test_transformers import described
from tests.models.cstalk.streams import STREAMS

if TYPE_CHECKING:
    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.models.cstalk.network import FaceNetwork


ROWS = 60
SOUND = np.random.default_rng(4).normal(0.0, 0.1, ROWS * 320).astype(np.float32)
HAPPY = {"happy": 1.0}


def network_of(columns: int, kind: str = "cstalk") -> tuple[FaceNetwork, Description]:
    """A small untrained network that takes so many conditions."""
    base = described(kind)
    description = replace(
        base, architecture=replace(cast("Any", base.architecture), emotions=columns)
    )
    torch.manual_seed(7)
    return build_network(description).eval(), description


def of_columns(columns: int, kind: str = "cstalk") -> Generator:
    """A generator of that network."""
    return create_generator(*network_of(columns, kind))


@pytest.fixture(scope="module")
def guarded() -> Generator:
    return of_columns(len(CONDITIONS))


@pytest.fixture(scope="module")
def unguarded() -> Generator:
    return of_columns(len(EMOTIONS))


def test_the_guard_is_the_last_condition_one_for_all_or_one_for_each() -> None:
    emotions = np.ones((2, 3, len(EMOTIONS)), dtype=np.float32)
    assert conditions(emotions, 0.25, len(CONDITIONS))[..., -1].tolist() == [[0.25] * 3] * 2
    each = conditions(emotions, [0.0, 1.0], len(CONDITIONS))
    assert each.shape == (2, 3, len(CONDITIONS))
    assert each.dtype == np.float32
    assert each[..., -1].tolist() == [[0.0] * 3, [1.0] * 3]
    assert (each[..., :-1] == 1.0).all()
    assert conditions(emotions, MOUTH_GUARD, len(EMOTIONS)) is emotions


@pytest.mark.parametrize("guard", [-0.01, 1.01, float("nan"), float("inf"), [0.5, 2.0]])
@pytest.mark.parametrize("columns", [len(EMOTIONS), len(CONDITIONS)])
def test_a_guard_outside_of_its_range_is_refused(guard: float, columns: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        conditions(np.zeros((2, 1, len(EMOTIONS)), np.float32), guard, columns)


def test_weights_without_a_guard_take_the_default_and_name_the_remedy_for_another(
    unguarded: Generator,
) -> None:
    assert not unguarded.knows_guard
    unguarded.check_guard(np.float32(MOUTH_GUARD))
    stream = unguarded.stream(1)
    hop, nothing = SOUND[None, :320], np.zeros((1, len(EMOTIONS)), np.float32)
    delay = np.array([80.0], np.float32)
    assert np.isfinite(stream.step(hop, nothing, delay, [0], MOUTH_GUARD)).all()
    for call in (
        lambda: unguarded.check_guard(0.2),
        lambda: unguarded.generate(SOUND, 16_000, HAPPY, mouth_guard=0.2),
        lambda: unguarded.generate(SOUND[:0], 16_000, HAPPY, mouth_guard=0.2),
        lambda: unguarded.passes(nothing[None], mouth_guard=0.2),
        lambda: stream.step(hop, nothing, delay, [0], [0.2]),
    ):
        with pytest.raises(ValueError, match=r"leave it at 0\.45, or use weights"):
            call()


def test_the_shipped_weights_take_every_guard_or_say_why_not() -> None:
    generator = load_generator(device="cpu")
    plain = generator.generate(SOUND, 16_000, HAPPY)
    assert (plain == generator.generate(SOUND, 16_000, HAPPY, mouth_guard=MOUTH_GUARD)).all()
    if generator.knows_guard:
        other = generator.generate(SOUND, 16_000, HAPPY, mouth_guard=1.0)
        assert np.abs(other - plain).max() > 1e-3
    else:
        with pytest.raises(ValueError, match="trained without"):
            generator.generate(SOUND, 16_000, HAPPY, mouth_guard=1.0)


def test_recordings_of_a_batch_keep_their_own_guards(guarded: Generator) -> None:
    emotions = np.tile(guarded.emotion_vector(HAPPY), (ROWS, 1))
    both = guarded.generate_batch([SOUND, SOUND], [emotions] * 2, mouth_guard=[0.0, 1.0])
    for guard, face in zip((0.0, 1.0), both, strict=True):
        alone = guarded.generate(SOUND, 16_000, HAPPY, mouth_guard=guard)
        assert np.abs(face - alone).max() < 1e-4
    assert np.abs(both[0] - both[1]).max() > 1e-2


@pytest.mark.parametrize("kind", STREAMS)
def test_voices_of_a_stream_keep_their_own_guards(kind: str, guarded: Generator) -> None:
    stream = STREAMS[kind](*network_of(len(CONDITIONS)), 2)
    weights = np.tile(guarded.emotion_vector(HAPPY), (2, 1))
    live = np.stack(
        [
            stream.step(
                np.tile(SOUND[320 * hop : 320 * hop + 320], (2, 1)),
                weights,
                np.array([20.0, 20.0], np.float32),
                [0, 1],
                np.array([0.1, 0.9]),
            )[:, 0]
            for hop in range(ROWS)
        ],
        axis=1,
    )
    for face, guard in zip(live, (0.1, 0.9), strict=True):
        offline = guarded.generate(SOUND, 16_000, HAPPY, 20, guard)
        assert np.abs(face - offline).max() < 1e-4
    assert np.abs(live[0] - live[1]).max() > 1e-2


def test_without_caches_the_guard_has_the_same_effect_as_with_them(guarded: Generator) -> None:
    emotions = np.tile(guarded.emotion_vector(HAPPY), (1, ROWS, 1))
    rows_of_conditions = conditions(emotions, 0.8, len(CONDITIONS))
    by_windows = recording_faces(
        network_of(len(CONDITIONS))[0], SOUND[None], rows_of_conditions, 4
    )[0]
    by_caches = guarded.generate(SOUND, 16_000, HAPPY, 80, 0.8)
    assert np.abs(by_windows - by_caches).max() < 1e-4


def test_a_baseline_uses_the_guard_too() -> None:
    baseline = of_columns(len(CONDITIONS), "emotalk-like")
    low, high = (baseline.generate(SOUND, 16_000, HAPPY, 80, guard) for guard in (0.0, 1.0))
    assert np.abs(low - high).max() > 1e-3


def test_a_network_of_other_conditions_is_not_ours() -> None:
    description = Description(
        Architecture(width=16, emotions=9), AUDIO_DRIVEN, EMOTIONS, 16_000, 50, {}
    )
    with pytest.raises(WeightsError, match="other emotions"):
        create_generator(build_network(description), description)

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cstalk_bridge.models import load_generator
from cstalk_bridge.models.board import CHANNEL_INDEX, CHANNELS

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.cstalk.generator import Generator


def noise(seconds: float, rate_hz: int = 16_000) -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal(int(seconds * rate_hz)).astype(np.float32)


def test_the_example_of_a_notebook(generator: Generator) -> None:
    assert len(generator.channels) == 81
    assert "CTRL_C_jaw.ty" in generator.channels
    assert generator.rate_hz == 50


@pytest.mark.parametrize("lookahead_ms", [0, 80, 240])
@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.5, 1.013])
def test_a_row_for_every_begun_20_ms(
    generator: Generator, seconds: float, lookahead_ms: int
) -> None:
    face = generator.generate(noise(seconds), 16_000, lookahead_ms=lookahead_ms)
    assert face.shape == (np.ceil(int(seconds * 16_000) / 320), 81)
    assert face.dtype == np.float32


def test_rows_do_not_depend_on_what_follows_their_lookahead(generator: Generator) -> None:
    sound = noise(1.0)
    whole = generator.generate(sound, 16_000, lookahead_ms=80)
    cut = generator.generate(sound[: 320 * 34], 16_000, lookahead_ms=80)
    assert np.abs(whole[:30] - cut[:30]).max() < 1e-4
    assert np.abs(whole[31:34] - cut[31:34]).max() > 1e-4


def test_a_batch_gives_each_recording_its_own_face(generator: Generator) -> None:
    sounds = [noise(0.5), noise(1.3), noise(0.01), noise(0.0)]
    emotions = [np.zeros((n, len(generator.emotions)), np.float32) for n in (25, 65, 1, 0)]
    emotions[1][:, 1] = 0.7
    together = generator.generate_batch(sounds, emotions, lookahead_ms=60)
    alone = [
        generator.generate(sound, 16_000, {"happy": 0.7} if n == 1 else {}, lookahead_ms=60)
        for n, sound in enumerate(sounds)
    ]
    for face, expected in zip(together, alone, strict=True):
        assert face.shape == expected.shape
        assert np.abs(face - expected).max(initial=0.0) < 1e-4


def test_values_stay_in_the_boards_ranges(generator: Generator) -> None:
    loud = np.sign(noise(1.0))
    face = generator.generate(loud, 16_000, {"angry": 1.5})
    for column, name in zip(face.T, generator.channels, strict=True):
        channel = CHANNELS[CHANNEL_INDEX[name]]
        assert channel.minimum <= column.min()
        assert column.max() <= channel.maximum


def test_any_rate_and_several_sources_are_accepted(generator: Generator) -> None:
    stereo = np.stack([noise(0.5, 44_100)] * 2, 1)
    assert generator.generate(stereo, 44_100).shape == (25, 81)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emotion": {"hapy": 1.0}}, "hapy"),
        ({"emotion": {"happy": 2.0}}, "1.5"),
        ({"lookahead_ms": 260}, "240"),
        ({"lookahead_ms": -1}, "240"),
        ({"rate_hz": 100}, "8000"),
        ({"samples": np.array([0.0, np.nan], np.float32)}, "finite"),
        ({"samples": np.zeros((1, 2, 3), np.float32)}, "shape"),
    ],
)
def test_what_cannot_be_generated_is_reported(
    generator: Generator, arguments: dict[str, Any], message: str
) -> None:
    given = {"samples": noise(0.1), "rate_hz": 16_000, **arguments}
    with pytest.raises(ValueError, match=message):
        generator.generate(**given)


def test_a_device_that_does_not_exist(small_weights: Path) -> None:
    with pytest.raises(ValueError, match="cpu"):
        load_generator(small_weights, "tpu")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32])
def test_integer_samples_are_taken_as_pcm(
    generator: Generator, kind: type[np.integer[Any]]
) -> None:
    times_s = np.arange(16_000) / 16_000
    sound = (0.4 * np.sin(2 * np.pi * 140 * times_s)).astype(np.float32)
    zero, steps = (128.0, 128.0) if kind is np.uint8 else (0.0, -float(np.iinfo(kind).min))
    pcm: NDArray[np.integer[Any]] = np.round(sound * steps + zero).astype(kind)
    same = ((pcm.astype(np.float64) - zero) / steps).astype(np.float32)
    made, wanted = (generator.generate(each, 16_000) for each in (pcm, same))
    np.testing.assert_array_equal(made, wanted)


def test_samples_of_no_such_type_are_refused(generator: Generator) -> None:
    with pytest.raises(ValueError, match="type int64: give floats from -1 to 1"):
        generator.generate(np.zeros(320, dtype=np.int64), 16_000)


def test_an_emotion_may_be_a_name(generator: Generator) -> None:
    np.testing.assert_array_equal(
        generator.emotion_vector("happy"), generator.emotion_vector({"happy": 1.0})
    )
    with pytest.raises(ValueError, match="no emotion 'hapy'"):
        generator.emotion_vector("hapy")


@pytest.mark.parametrize(("lookahead_ms", "rounded_ms"), [(9.9, 0), (29, 20), (30, 40), (50, 40)])
def test_a_lookahead_is_rounded_to_whole_hops(
    generator: Generator, lookahead_ms: float, rounded_ms: int
) -> None:
    sound = noise(0.3)
    face = generator.generate(sound, 16_000, lookahead_ms=lookahead_ms)
    assert np.array_equal(face, generator.generate(sound, 16_000, lookahead_ms=rounded_ms))

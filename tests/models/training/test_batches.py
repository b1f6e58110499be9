"""Sound and face of a batch belong together: the corpus counts its rows in both."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from cstalk_bridge.models.cstalk.architecture import Architecture
from cstalk_bridge.models.emotions import CONDITIONS, MOUTH_GUARD
from cstalk_bridge.models.features import HISTORY_SAMPLES
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.batches import ROWS, UNKNOWN_PHONE, Crop, draw
from cstalk_bridge.models.training.corpus import Corpus

if TYPE_CHECKING:
    from pathlib import Path


CLIP_ROWS = 200


@pytest.fixture(scope="module")
def corpus(corpus_folder: Path) -> Corpus:
    return Corpus(corpus_folder, "train")


@pytest.mark.parametrize("speed", [0.9, 1.0, 1.1])
@pytest.mark.parametrize("start", [-20.0, 0.0, 33.3])
@pytest.mark.parametrize("delay_hops", [0, 6])
def test_a_row_is_the_face_of_the_sound_one_delay_ago(
    corpus: Corpus, speed: float, start: float, delay_hops: int
) -> None:
    crop = Crop(corpus.clips[1], "kathleen", start, speed, voice=True)
    context = 10
    sound = crop.sound(corpus, context)
    face = crop.faces(corpus, delay_hops)
    jaw, stress = face.gestures[:, 0], face.stress
    for row in range(30, ROWS, 17):
        end = HISTORY_SAMPLES + (context + row + 1 - delay_hops) * HOP_SAMPLES
        loudness = sound[end - 1] / (20000 / 32768)
        assert jaw[row] == pytest.approx(loudness, abs=1.5 / CLIP_ROWS)
        assert stress[row] == pytest.approx(loudness, abs=1.5 / CLIP_ROWS)


def test_around_a_clip_there_is_silence_and_rest(corpus: Corpus) -> None:
    crop = Crop(corpus.clips[0], "grid_s1", 120.0, 1.0, voice=True)
    face = crop.faces(corpus, 0)
    assert np.abs(face.gestures[80:]).max() == 0.0
    assert np.abs(crop.sound(corpus, 10)[(10 + 82) * HOP_SAMPLES + HISTORY_SAMPLES :]).max() == 0.0
    assert crop.phones(corpus)[-1] == 0


def test_a_batch_depends_only_on_its_number(corpus: Corpus) -> None:
    first, again, other = (draw(corpus, Architecture(), 3, 1, number) for number in (4, 4, 5))
    assert torch.equal(first.samples, again.samples)
    assert torch.equal(first.conditions, again.conditions)
    assert not torch.equal(first.samples, other.samples)


def test_a_batch_fits_the_network(corpus: Corpus) -> None:
    architecture = Architecture()
    batch = draw(corpus, architecture, 8, 1, 0)
    assert batch.samples.shape == (
        8,
        (architecture.window_hops - 1 + ROWS) * HOP_SAMPLES + HISTORY_SAMPLES,
    )
    assert batch.samples.abs().max() <= 1.0
    assert torch.isfinite(batch.samples).all()
    assert batch.delay_hops.min() >= 0
    assert batch.delay_hops.max() < architecture.delays


def test_what_a_source_does_not_observe_has_no_weight(corpus: Corpus) -> None:
    crop = Crop(corpus.clips[-1], "facegood", 0.0, 1.0, voice=True)
    assert 0 < crop.observed().sum() < len(crop.observed())
    assert (crop.phones(corpus) == UNKNOWN_PHONE).all()


def test_a_version_of_augmentation_changes_the_sound_and_nothing_else(corpus: Corpus) -> None:
    drawn = [draw(corpus, Architecture(), 6, 1, 3, version) for version in (1, 2, 3)]
    for first, second in pairwise(drawn):
        assert not torch.equal(first.samples, second.samples)
        for name in ("conditions", "delay_hops", "gestures", "stress", "envelopes", "phones"):
            assert torch.equal(getattr(first, name), getattr(second, name))


def test_pauses_are_where_nobody_is_known_to_speak(corpus: Corpus) -> None:
    spoken, unknown, outside = (
        Crop(corpus.clips[clip], source, start, 1.0, voice=True).pauses(corpus, 10)
        for clip, source, start in (
            (0, "grid_s1", 20.0),
            (3, "facegood", 0.0),
            (0, "grid_s1", -15.0),
        )
    )
    assert not spoken.any()
    assert not unknown.any()
    assert outside.tolist() == [True] * 25 + [False] * (ROWS - 15)
    assert Crop(corpus.clips[3], "facegood", 0.0, 1.0, voice=False).pauses(corpus, 10).all()


def test_probabilities_are_those_of_the_sources_that_are_there(corpus: Corpus) -> None:
    assert corpus.probabilities == {
        "grid_s1": 0.3,
        "kathleen": 0.13,
        "kokoro": 0.45,
        "facegood": 0.12,
    }


def test_an_emotion_swells_with_speech_and_fades_after_it(corpus: Corpus) -> None:
    """Loudness passes the threshold of speech in row 90 of 200, and the clip ends."""
    envelopes = Crop(corpus.clips[0], "grid_s1", 60.0, 1.0, voice=True).faces(corpus, 0).envelopes
    assert envelopes[:28].max() == 0.0
    assert (np.diff(envelopes[32:138], axis=0) >= 0).all()
    assert envelopes[137].min() > 0.95
    assert (np.diff(envelopes[140:], axis=0) < 0).all()
    silent = Crop(corpus.clips[0], "grid_s1", 60.0, 1.0, voice=False).faces(corpus, 0)
    assert silent.envelopes.max() == 0.0


def test_half_the_clips_have_the_default_mouth_guard(corpus: Corpus) -> None:
    guards = draw(corpus, Architecture(emotions=len(CONDITIONS)), 64, 1, 0).conditions[:, -1]
    is_default = guards == MOUTH_GUARD
    assert 0.3 < is_default.float().mean() < 0.7
    assert guards[~is_default].min() >= 0.0
    assert guards[~is_default].max() <= 1.0
    assert guards[~is_default].std() > 0.2

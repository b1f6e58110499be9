"""Suites of aligned voices on small data, with phones put where the aligner keeps its own."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from cstalk_bridge.models.board import AUDIO_DRIVEN, JAW, columns_of
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.evaluation.candidates import LoudnessFace, PhoneRuleFace
from cstalk_bridge.models.evaluation.multimodal import UNITS
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.evaluation.suites.acting import Acted
from cstalk_bridge.models.evaluation.suites.articulation import (
    Articulation,
    Visemes,
    class_recall,
    fit_discriminant,
    mean_recall,
    samples,
)
from cstalk_bridge.models.evaluation.voices import ALIGNMENT_FOLDER, KATHLEEN_EVERY, kathleen_read
from cstalk_bridge.models.phones import PHONE_INDEX
from cstalk_bridge.models.timing import rows_of
from cstalk_bridge.models.training.alignment import Aligner, sentences_of
from tests.models.evaluation.heads import PlainHead
from tests.models.evaluation.recorded import noise, write_kokoro

if TYPE_CHECKING:
    from pathlib import Path

    from cstalk_bridge.models.evaluation.measures import Measurement


SPOKEN = [(0.2, 0.5, "AA"), (0.5, 0.7, "B"), (0.7, 1.0, "IY"), (1.0, 1.2, "S"), (1.2, 1.4, "M")]
ACTORS = ("01", "17")
CODES = {"01": "neutral", "03": "happy", "05": "angry"}


def keep_phones(data: Path, cache: Path, source: str, label: str) -> None:
    """Put what the aligner would find where it keeps it."""
    aligner = Aligner(cache / ALIGNMENT_FOLDER / label)
    aligner.folder.mkdir(parents=True)
    known = {s.key(aligner.version): SPOKEN for s in sentences_of(source, data / source)}
    (aligner.folder / f"{source}.json").write_text(json.dumps(known), encoding="utf-8")


def write_sound(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(1.6, seed), 16_000, format="OGG", subtype="OPUS")


def write_kathleen(data: Path, cache: Path, clips: int) -> None:
    texts = {f"a{number:03}": "Go on." for number in range(clips)}
    write_sound(data / "kathleen/audio/a000.opus", 1)
    for stem in list(texts)[1:]:
        shutil.copy(data / "kathleen/audio/a000.opus", data / f"kathleen/audio/{stem}.opus")
    (data / "kathleen/transcripts.json").write_text(json.dumps(texts), encoding="utf-8")
    keep_phones(data, cache, "kathleen", "every_tenth")


def write_ravdess(data: Path, cache: Path) -> None:
    stems = [f"03-01-{e}-{i}-01-01-{a}" for e in CODES for i in ("01", "02") for a in ACTORS]
    for number, stem in enumerate(stems):
        write_sound(data / f"ravdess/audio/{stem}.opus", 50 + number)
    names = np.array([f"{unit}_r" for unit in UNITS])
    means = np.zeros((len(stems), len(UNITS)))
    for row, stem in zip(means, stems, strict=True):
        row[UNITS.index("AU12")] = 2.0 * (stem[6:8] == "03")
        row[UNITS.index("AU04")] = 1.0 * (stem[6:8] == "05")
    clips = np.array([stem.replace("03-01", "01-01", 1) for stem in stems])
    np.savez(data / "ravdess/action_units_means.npz", names=names, clips=clips, means=means)
    waves = 1 + np.sin(np.arange(90) / 9)[:, None] * np.ones(len(UNITS))
    frames: dict[str, Any] = {"names": names, stems[4]: waves}
    np.savez(data / "ravdess/action_units_frames.npz", **frames)
    keep_phones(data, cache, "ravdess", "every_actor")
    keep_phones(data, cache, "ravdess", "test_actors")


class Actor:
    """Closes at b and m but in anger, opens by the loudness of acting, smiles when happy."""

    name = "actor"

    def faces(self, sound: np.ndarray, emotions: np.ndarray, lookahead_ms: int) -> np.ndarray:
        del lookahead_ms
        face = np.zeros((rows_of(len(sound)), len(AUDIO_DRIVEN)), np.float32)
        weights = dict(zip(EMOTIONS, emotions.max(0), strict=True))
        times_s = np.arange(len(face)) / 50
        if sound.any():
            face[:, JAW] = 0.2 * (1 + max(weights["happy"], weights["angry"]))
            shut = ((times_s >= 0.5) & (times_s < 0.7)) | (times_s >= 1.2)
            face[shut, JAW] = 0.1 * weights["angry"]
        else:
            face[:, JAW] = 0.1 * weights["happy"]
        face[:, columns_of("mouth_cornerPull")] = 0.5 * weights["happy"]
        face[:, columns_of("brow_down")] = 0.5 * weights["angry"]
        return face


def found(suite: object, predictor: object) -> dict[str, Measurement]:
    return {one.key: one for one in suite.measure(predictor, 60)}  # type: ignore[attr-defined]


def test_every_tenth_clip_is_read_with_its_phones(tmp_path: Path) -> None:
    write_kathleen(tmp_path, tmp_path, KATHLEEN_EVERY + 1)
    clips = kathleen_read(Folders(tmp_path, tmp_path), 5)
    assert [clip.name for clip in clips] == ["kathleen/a000", "kathleen/a010"]
    assert clips[0].phones == tuple(SPOKEN)


def test_voices_that_are_there_are_articulated_and_named_apart(tmp_path: Path) -> None:
    write_kathleen(tmp_path, tmp_path, 3)
    write_kokoro(tmp_path, "bo bo")
    suite = Articulation(Folders(tmp_path, tmp_path), 10, PlainHead())
    measured = found(suite, PhoneRuleFace())
    assert measured["articulation.kathleen_closed"].value == 100.0
    assert measured["articulation.kathleen_closed"].count == 2
    assert measured["articulation.kokoro_closed"].count == 2
    assert measured["articulation.kathleen_contrast"].value > 1.0
    assert not any(key.startswith("articulation.grid") for key in measured)
    assert found(suite, LoudnessFace())["articulation.kathleen_closed"].value < 100.0


def test_without_any_voice_the_suites_say_what_is_missing(tmp_path: Path) -> None:
    for suite in (Articulation, Visemes, Acted):
        with pytest.raises(MissingDataError, match="is missing"):
            suite(Folders(tmp_path, tmp_path), 10, PlainHead())
        with pytest.raises(MissingDataError, match="cstalk-bridge evaluate"):
            suite(Folders(tmp_path, tmp_path), 10, None)


def test_mouths_that_differ_are_named_and_mouths_that_do_not_are_guessed() -> None:
    phones = np.repeat([PHONE_INDEX["B"], PHONE_INDEX["AA"], PHONE_INDEX["S"]] * 8, 10)
    random = np.random.default_rng(0)
    shown, blank = [], []
    for clip in range(6):
        seen = random.normal(0, 0.1, (len(phones), 3)).astype(np.float32)
        blank.append(samples(seen, phones, clip))
        seen[phones == PHONE_INDEX["AA"]] += [10, 5, 0]
        seen[phones == PHONE_INDEX["S"]] += [3, 0, 0]
        shown.append(samples(seen, phones, clip))
    assert shown[0][0].shape == (24, 9)
    (right,), (guessed,) = (list(class_recall("visemes.real", clips)) for clips in (shown, blank))
    assert right.value == 100.0
    assert right.count == 6 * 24
    assert 20 < guessed.value < 50
    assert list(class_recall("visemes.real", [])) == []


def test_a_stiff_mouth_names_no_more_than_chance(tmp_path: Path) -> None:
    write_kathleen(tmp_path, tmp_path, 160)
    suite = Visemes(Folders(tmp_path, tmp_path), 100, PlainHead())
    measured = found(suite, PhoneRuleFace())["visemes.kathleen"]

    class Still:
        name = "still"

        def faces(self, sound: np.ndarray, *_: object) -> np.ndarray:
            return np.zeros((rows_of(len(sound)), len(AUDIO_DRIVEN)), np.float32)

    still = found(suite, Still())["visemes.kathleen"]
    assert measured.count == still.count == 16 * len(SPOKEN)
    assert still.value == pytest.approx(25.0)
    assert measured.value > 60.0


CENTRES = np.array([[0.0, 0.0, 1.0], [3.0, 0.0, 1.0], [0.0, 3.0, 1.0]])


def cloud(seed: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    classes = random.integers(0, 3, 300) * 4  # numbers with gaps
    noise = spread * random.standard_normal((300, 3)) * [1, 1, 0]  # the last one never moves
    return CENTRES[classes // 4] + noise, classes


@pytest.mark.parametrize(("spread", "least", "most"), [(0.3, 0.99, 1.0), (3.0, 0.4, 0.8)])
def test_classes_are_recognised_as_far_as_they_are_apart(
    spread: float, least: float, most: float
) -> None:
    fitted = fit_discriminant(*cloud(1, spread))
    features, classes = cloud(2, spread)
    assert least <= mean_recall(fitted.classify(features), classes) <= most


def test_features_that_say_nothing_are_guessing() -> None:
    random = np.random.default_rng(0)
    classes = random.integers(0, 4, 2000)
    fitted = fit_discriminant(np.zeros((2000, 2)), classes).classify(np.zeros((2000, 2)))
    assert mean_recall(fitted, classes) == pytest.approx(0.25)

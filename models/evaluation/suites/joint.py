"""Whether expression, gaze and head together tell the emotion that a living face was asked for.

Of the face the judge learned from real faces. Of gaze and head in five emotions there are no
recordings: that half learned from the program's own life, of other voices and seeds, each head
resting as a real one did. It tells whether these cues are distinct and at one with the face, not
whether people move so; the phone takes stand beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.board import AUDIO_DRIVEN
from models.emotions import EMOTIONS
from models.evaluation.joint.performance import UPPER
from models.evaluation.joint.phone_takes import recognised
from models.evaluation.joint.rests import resting_heads
from models.evaluation.joint.voices import spoken
from models.evaluation.makers import perform
from models.evaluation.measures import Finding
from models.evaluation.metrics.recognition import learn
from models.evaluation.recordings import MissingDataError
from models.evaluation.suites.emotion import CLASSES, real_faces, recall
from models.training.sources import GRID_CURVES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from models.evaluation.joint.performance import Living, Performance
    from models.evaluation.makers import Maker
    from models.evaluation.metrics.recognition import Classifier
    from models.evaluation.recordings import Folders

WHOLE, BROWS = "whole face", "upper face"
KNOWN_SEEDS, ASKED_SEEDS = 1000, 9000
"""Seeds of the lives that teach the judge, and of those it is asked about."""
FAINTER = (0.25, 0.5)
"""Strengths of moods in gaze and head, beside the whole, by which the whole one was chosen."""


class Joint:
    """Asks about windows of ten seconds of faces for the voices of actors 17-20."""

    title = "emotions of living faces, in 10 s (faces: by real ones; gaze and head: by made ones)"
    source = "ravdess"
    is_timed = False

    def __init__(self, folders: Folders, most: int, living: Living | None) -> None:
        if living is None:
            raise MissingDataError("faces come alive in the program: cstalk-bridge evaluate")
        features, classes, is_test = real_faces(folders)
        self._living = living
        self._faces: dict[str, Classifier] = {}
        self._references: list[Finding] = []
        for name, key, columns in ((WHOLE, "real_all", slice(None)), (BROWS, "real_upper", UPPER)):
            some = features[:, columns]
            judge = learn(some[~is_test], classes[~is_test])
            told = recall(judge.classes(some[is_test]), classes[is_test])
            self._faces[name] = judge
            self._references.append(Finding(f"joint.{key}", told, int(is_test.sum())))
        phone = folders.needed("iphone/idle_emotion_60fps.npz")
        self._references.append(Finding("joint.real_phone", *recognised(phone)))
        self._rests = resting_heads(folders.needed(f"grid_s1/{GRID_CURVES}"))
        self._manner = self._taught(folders, most)
        self._asked = spoken(folders, "test", most)

    def _taught(self, folders: Folders, most: int) -> Classifier:
        """Return a judge of gaze and head, from lives to the voices of actors 01-16."""
        features, classes = [], []
        for number, voice in enumerate(spoken(folders, "train", most)):
            emotions = _constant(voice.emotion, voice.rows)
            still = np.zeros((voice.rows, len(AUDIO_DRIVEN)), dtype=np.float32)
            life = self._living(voice.sound, emotions, still, KNOWN_SEEDS + number)
            found = self._manners(life, KNOWN_SEEDS + number)
            features += found
            classes += [CLASSES.index(voice.emotion)] * len(found)
        return learn(np.stack(features), np.array(classes))

    def _manners(self, life: Performance, seed: int) -> list[NDArray[np.float32]]:
        """Return the manner of each window, its head resting as one of the real ones did."""
        random = np.random.default_rng(seed)
        rests = self._rests[random.integers(len(self._rests), size=len(life.board))]
        return [w.resting(rest).manner() for w, rest in zip(life.windows(), rests, strict=False)]

    def measure(self, maker: Maker, lookahead_ms: int) -> Iterator[Finding]:
        """Yield the mean over emotions of the share told right, by each part and by all."""
        manners: dict[float, list[NDArray[np.float32]]] = {each: [] for each in (*FAINTER, 1.0)}
        faces, true = [], []
        for number, voice in enumerate(self._asked):
            face = perform(maker, voice, lookahead_ms, {voice.emotion: 1.0})
            if face is None:
                return
            emotions, seed = _constant(voice.emotion, voice.rows), ASKED_SEEDS + number
            for strength in manners:
                alive = self._living(voice.sound, strength * emotions, face, seed)
                manners[strength] += self._manners(alive, seed)
            windows = alive.windows()
            faces += [window.units() for window in windows]
            true += [CLASSES.index(voice.emotion)] * len(windows)
        if true:
            found = {strength: np.stack(of_it) for strength, of_it in manners.items()}
            yield from self._told(found, np.stack(faces), np.array(true))

    def _told(
        self,
        manners: Mapping[float, NDArray[np.float32]],
        faces: NDArray[np.float32],
        true: NDArray[np.int64],
    ) -> Iterator[Finding]:
        manner = self._manner.log_odds(manners[1.0])
        upper = self._faces[BROWS].log_odds(faces[:, UPPER])
        whole = self._faces[WHOLE].log_odds(faces)
        parts: Mapping[str, NDArray[np.float64]] = {
            "unmouthed": manner + upper,
            "all": manner + whole,
            "manner": manner,
            "upper": upper,
            "whole": whole,
        }
        for key, odds in parts.items():
            yield Finding(f"joint.{key}", recall(odds.argmax(1), true), len(true))
        for strength in FAINTER:
            faint = self._manner.log_odds(manners[strength]) + upper
            percent = round(100 * strength)
            yield Finding(f"joint.faint{percent}", recall(faint.argmax(1), true), len(true))
        told = parts["unmouthed"].argmax(1)
        for index, name in enumerate(CLASSES):
            of_it = told[true == index]
            if len(of_it):
                yield Finding(f"joint.{name}", 100 * float((of_it == index).mean()), len(of_it))
        yield from self._references


def _constant(emotion: str, rows: int) -> NDArray[np.float32]:
    emotions = np.zeros((rows, len(EMOTIONS)), dtype=np.float32)
    emotions[:, EMOTIONS.index(emotion)] = 1.0
    return emotions

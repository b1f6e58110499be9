"""Whether classifiers trained on real people recognise the requested emotion of a face.

One receives the expression alone, another expression, gaze and head together; both are multinomial
logistic regressions. Phone takes of one person idling in an emotion show how well real motion is
recognised. Real heads differ in their rest pose, so head poses are offset by measured ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.emotions import EMOTION_CLASSES, EMOTIONS
from cstalk_bridge.models.evaluation.measures import Measurement
from cstalk_bridge.models.evaluation.multimodal import (
    UNITS,
    UPPER_UNITS,
    WINDOW_S,
    gaze_features,
    required_animation,
    units_of,
)
from cstalk_bridge.models.evaluation.predictors import predict_face
from cstalk_bridge.models.evaluation.recordings import (
    RAVDESS_EMOTIONS,
    archive_of,
    evenly_spread,
    ravdess_voices,
)
from cstalk_bridge.models.evaluation.request import ALL_CLIPS
from cstalk_bridge.models.evaluation.voices import emotional_speech
from cstalk_bridge.models.training.sources import GRID_CURVES, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.multimodal import MultimodalClip, ProceduralAnimation
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders


STEPS = 2000
RATE = 0.5
DECAY = 1e-3
"""Weight of the squared coefficients: keeps rare units from deciding alone."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """Features to classes: the argmax of `(x - mean) / spread @ weights + bias`."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def classes(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the class of each row of `features` [clips, features]."""
        return np.asarray(self.log_odds(features).argmax(1), dtype=np.int64)

    def log_odds(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the logarithm of each class's probability, [clips, classes]."""
        scores = (features - self.mean) / self.spread @ self.weights + self.bias
        highest = scores.max(1, keepdims=True)
        total = np.log(np.exp(scores - highest).sum(1, keepdims=True))
        return np.asarray(scores - highest - total)


def fit_classifier(features: NDArray[np.floating], classes: NDArray[np.int64]) -> Classifier:
    """Fit by full-batch gradient descent; every class weighs the same however often it occurs.

    `features` is [clips, features], `classes` [clips] in 0..n-1, each occurring at least once. The
    result is deterministic.
    """
    mean = features.mean(0, dtype=np.float64)
    spread = np.maximum(features.std(0, dtype=np.float64), 1e-6)
    x = (features - mean) / spread
    targets = np.eye(int(classes.max()) + 1)[classes]
    share = (targets / targets.sum(0)).sum(1, keepdims=True) / targets.shape[1]
    weights, bias = np.zeros((x.shape[1], targets.shape[1])), np.zeros(targets.shape[1])
    for _ in range(STEPS):
        scores = x @ weights + bias
        odds = np.exp(scores - scores.max(1, keepdims=True))
        error = (odds / odds.sum(1, keepdims=True) - targets) * share
        weights -= RATE * (x.T @ error + DECAY * weights)
        bias -= RATE * error.sum(0)
    return Classifier(mean, spread, weights, bias)


class Emotion:
    """Trained on the mean units of actors 01-16, tested on faces for the voices of 17-20."""

    title = "emotions of generated faces, by a classifier of real ones (RAVDESS 01-16 -> 17-20)"
    source = "ravdess"
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int) -> None:
        features, classes, is_test = real_faces(folders)
        self._classifier = fit_classifier(features[~is_test], classes[~is_test])
        predicted = self._classifier.classes(features[is_test])
        self._ceiling = Measurement(
            "emotion.real", recall_percent(predicted, classes[is_test]), int(is_test.sum())
        )
        voices = ravdess_voices(folders, ALL_CLIPS)
        acted = [clip for clip in voices if clip.emotion in EMOTION_CLASSES]
        self._clips = evenly_spread(acted, max_clips, folders.data)

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield the mean recall over classes, that of each class, and that of real faces."""
        means, emotions = [], []
        for clip in self._clips:
            face = predict_face(predictor, clip, lookahead_ms, {clip.emotion: 1.0})
            if face is None:
                return
            means.append(units_of(face).mean(0))
            emotions.append(EMOTION_CLASSES.index(clip.emotion))
        if not means:
            return
        predicted, true = self._classifier.classes(np.stack(means)), np.array(emotions)
        yield Measurement("emotion.recognised", recall_percent(predicted, true), len(true))
        for index, name in enumerate(EMOTION_CLASSES):
            of_it = predicted[true == index]
            if len(of_it):
                yield Measurement(
                    f"emotion.{name}", 100 * float((of_it == index).mean()), len(of_it)
                )
        yield self._ceiling


def real_faces(
    folders: Folders,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the mean units of real faces [clips, units], their classes and `is_test` [clips]."""
    with archive_of(folders.needed("ravdess/action_units_means.npz")) as archive:
        return _real(archive)


def _real(archive: Any) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Return features [clips, units], classes [clips] and `is_test` [clips] of real faces."""
    names = [str(name) for name in archive["names"]]
    columns = [names.index(f"{unit}_r") for unit in UNITS]
    parts = [str(clip).split("-") for clip in archive["clips"]]
    emotions = [RAVDESS_EMOTIONS[part[2]] for part in parts]
    kept = [i for i, emotion in enumerate(emotions) if emotion in EMOTION_CLASSES]
    classes = np.array([EMOTION_CLASSES.index(emotions[i]) for i in kept])
    is_test = np.array([part_of(f"ravdess/{archive['clips'][i]}") == "test" for i in kept])
    return archive["means"][kept][:, columns].astype(np.float32), classes, is_test


def recall_percent(predicted: NDArray[np.int64], true: NDArray[np.int64]) -> float:
    """Return the mean over classes of the share predicted right, in percent."""
    recalls = [(predicted[true == index] == index).mean() for index in np.unique(true)]
    return 100 * float(np.mean(recalls))


RATE_HZ = 60.0
NEUTRAL_TAKE = "default"
UPPER_SHAPES = (
    "BrowDown", "BrowInnerUp", "BrowOuterUp", "CheekSquint", "EyeSquint", "EyeWide", "NoseSneer",
)  # fmt: skip
"""Shapes of the upper face; the mean of both sides where there are two."""
NEUTRAL_PARTS = 3
"""The only take of neutral idling is split into this many."""


def recognised_takes(path: Path) -> tuple[float, int]:
    """Return the mean over emotions of the recall of windows, in percent, and their number.

    Each take, and each third of the neutral one, is classified by a classifier of gaze, blinks and
    upper face that is trained on the other takes, which have no heads.
    """
    with archive_of(path) as archive:
        names = [str(name) for name in archive["names"]]
        takes = list(_takes(archive, names))
    emotions = sorted({emotion for emotion, _ in takes})
    predicted, true = [], []
    for number, (emotion, windows) in enumerate(takes):
        others = [take for place, take in enumerate(takes) if place != number]
        features = np.concatenate([values for _, values in others])
        classes = np.concatenate([[emotions.index(name)] * len(values) for name, values in others])
        predicted += fit_classifier(features, classes).classes(windows).tolist()
        true += [emotions.index(emotion)] * len(windows)
    return recall_percent(np.array(predicted), np.array(true)), len(true)


def _takes(archive: Any, names: list[str]) -> Any:
    for take in archive.files:
        if take == "names":
            continue
        curves = archive[take].astype(np.float32)
        emotion = take.split("_")[0]
        for part in np.array_split(curves, NEUTRAL_PARTS) if emotion == NEUTRAL_TAKE else [curves]:
            yield emotion, np.stack([_features(window, names) for window in _windows(part)])


def _windows(curves: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    size = round(WINDOW_S * RATE_HZ)
    return [curves[i : i + size] for i in range(0, len(curves) - size + 1, size)]


def _features(curves: NDArray[np.float32], names: list[str]) -> NDArray[np.float32]:
    def mean_of(prefix: str) -> NDArray[np.float32]:
        columns = [i for i, name in enumerate(names) if name.startswith(prefix)]
        return np.asarray(curves[:, columns].mean(1))

    eyes = [[f"{side}Eye{axis}" for side in ("Left", "Right")] for axis in ("Yaw", "Pitch")]
    gaze = [curves[:, [names.index(name) for name in axis]].mean(1) for axis in eyes]
    face = [mean_of(shape).mean() for shape in UPPER_SHAPES]
    behaviour = gaze_features(np.degrees(np.stack(gaze, 1)), mean_of("EyeBlink"), RATE_HZ)
    return np.concatenate((behaviour, np.array(face, dtype=np.float32)))


HEAD_SUFFIX = "__head"


def resting_heads(path: Path) -> NDArray[np.float32]:
    """Return the mean head pose of each clip of a neutral speaker, less the mean over all clips.

    float32 [clips, 6]: yaw, pitch, roll in radians, x, y, z in centimetres. `path` is the archive
    of curves of GRID.
    """
    with archive_of(path) as archive:
        heads = [
            archive[name].astype(np.float32) for name in archive.files if name.endswith(HEAD_SUFFIX)
        ]
    tracked = [head[np.isfinite(head).all(1)] for head in heads]
    means = np.stack([head.mean(0) for head in tracked if len(head)])
    return np.asarray(means - means.mean(0))


WHOLE_FACE, UPPER_FACE = "whole face", "upper face"
TRAIN_SEEDS, TEST_SEEDS = 1000, 9000
"""First seeds of the animations that train the classifier, and of those that test it."""
REDUCED_STRENGTHS = (0.25, 0.5)
"""Reduced intensities of the emotion in gaze and head, measured beside full strength."""


class MultimodalEmotion:
    """Windows of ten seconds of animated faces for the voices of actors 17-20."""

    title = "emotions of animated faces, in 10 s (classifiers of real faces, and of gaze and head)"
    source = "ravdess"
    is_timed = False

    def __init__(
        self, folders: Folders, max_clips: int, animation: ProceduralAnimation | None
    ) -> None:
        features, classes, is_test = real_faces(folders)
        self._animation = required_animation(animation)
        self._faces: dict[str, Classifier] = {}
        self._references: list[Measurement] = []
        for name, key, columns in (
            (WHOLE_FACE, "real_all", slice(None)),
            (UPPER_FACE, "real_upper", UPPER_UNITS),
        ):
            some = features[:, columns]
            classifier = fit_classifier(some[~is_test], classes[~is_test])
            recall = recall_percent(classifier.classes(some[is_test]), classes[is_test])
            self._faces[name] = classifier
            self._references.append(Measurement(f"joint.{key}", recall, int(is_test.sum())))
        phone = folders.needed("iphone/idle_emotion_60fps.npz")
        self._references.append(Measurement("joint.real_phone", *recognised_takes(phone)))
        self._rests = resting_heads(folders.needed(f"grid_s1/{GRID_CURVES}"))
        self._behaviour = self._fit_behaviour(folders, max_clips)
        self._test_voices = emotional_speech(folders, "test", max_clips)

    def _fit_behaviour(self, folders: Folders, max_clips: int) -> Classifier:
        """Return a classifier of gaze and head, trained on the voices of actors 01-16."""
        features, classes = [], []
        for number, voice in enumerate(emotional_speech(folders, "train", max_clips)):
            emotions = _constant(voice.emotion, voice.rows)
            still = np.zeros((voice.rows, len(AUDIO_DRIVEN)), dtype=np.float32)
            clip = self._animation(voice.sound, emotions, still, TRAIN_SEEDS + number)
            found = self._behaviour_features(clip, TRAIN_SEEDS + number)
            features += found
            classes += [EMOTION_CLASSES.index(voice.emotion)] * len(found)
        return fit_classifier(np.stack(features), np.array(classes))

    def _behaviour_features(self, clip: MultimodalClip, seed: int) -> list[NDArray[np.float32]]:
        """Return the nonverbal features of each window, its head offset by a real rest pose."""
        random = np.random.default_rng(seed)
        rests = self._rests[random.integers(len(self._rests), size=len(clip.board))]
        windows = zip(clip.windows(), rests, strict=False)
        return [window.with_head_offset(rest).nonverbal_features() for window, rest in windows]

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield the mean recall over emotions, from each part of the face and from all."""
        features: dict[float, list[NDArray[np.float32]]] = {
            strength: [] for strength in (*REDUCED_STRENGTHS, 1.0)
        }
        faces, true = [], []
        for number, voice in enumerate(self._test_voices):
            face = predict_face(predictor, voice, lookahead_ms, {voice.emotion: 1.0})
            if face is None:
                return
            emotions, seed = _constant(voice.emotion, voice.rows), TEST_SEEDS + number
            for strength in features:
                clip = self._animation(voice.sound, strength * emotions, face, seed)
                features[strength] += self._behaviour_features(clip, seed)
            windows = clip.windows()
            faces += [window.units() for window in windows]
            true += [EMOTION_CLASSES.index(voice.emotion)] * len(windows)
        if true:
            behaviour = {strength: np.stack(of_it) for strength, of_it in features.items()}
            yield from self._recalls(behaviour, np.stack(faces), np.array(true))

    def _recalls(
        self,
        behaviour: Mapping[float, NDArray[np.float32]],
        faces: NDArray[np.float32],
        true: NDArray[np.int64],
    ) -> Iterator[Measurement]:
        full = self._behaviour.log_odds(behaviour[1.0])
        upper = self._faces[UPPER_FACE].log_odds(faces[:, UPPER_UNITS])
        whole = self._faces[WHOLE_FACE].log_odds(faces)
        parts: Mapping[str, NDArray[np.float64]] = {
            "unmouthed": full + upper,
            "all": full + whole,
            "manner": full,
            "upper": upper,
            "whole": whole,
        }
        for key, odds in parts.items():
            yield Measurement(f"joint.{key}", recall_percent(odds.argmax(1), true), len(true))
        for strength in REDUCED_STRENGTHS:
            reduced = self._behaviour.log_odds(behaviour[strength]) + upper
            percent = round(100 * strength)
            yield Measurement(
                f"joint.faint{percent}", recall_percent(reduced.argmax(1), true), len(true)
            )
        predicted = parts["unmouthed"].argmax(1)
        for index, name in enumerate(EMOTION_CLASSES):
            of_it = predicted[true == index]
            if len(of_it):
                yield Measurement(f"joint.{name}", 100 * float((of_it == index).mean()), len(of_it))
        yield from self._references


def _constant(emotion: str, rows: int) -> NDArray[np.float32]:
    emotions = np.zeros((rows, len(EMOTIONS)), dtype=np.float32)
    emotions[:, EMOTIONS.index(emotion)] = 1.0
    return emotions

"""Acted emotions: RAVDESS' voices in eight emotions, beside the action units of its actors.

`Acted` measures generated faces of 20 actors. A clip's face is generated twice: without emotion,
and with the acted one. The mean action units of an emotion's clips less those of neutral clips are
compared with real actors': their cosine and their size. `sway` is the change of the `LEADING` units
of an emotion within a clip, standard deviation over mean, without the units that speech itself
moves (`SPOKEN`).

`Acting` measures animated faces of actors 01-04, beside their tracked faces. `change` is the sway,
`between` that of the clips' means, of one actor each. `spread` is that of neutral and calm speech
above the mouth and at its corners, as a share of the real one. `region_distance` is that of the
suite `ravdess`, with procedural animation. A face has one seed for each clip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.models.board import AUDIO_DRIVEN, AUDIO_DRIVEN_COLUMNS
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.evaluation.measures import Measurement, mean, percentile
from cstalk_bridge.models.evaluation.multimodal import (
    UNITS,
    required_animation,
    required_head,
    units_of,
)
from cstalk_bridge.models.evaluation.predictors import PhonePredictor, predict_face
from cstalk_bridge.models.evaluation.recordings import (
    RAVDESS_EMOTIONS,
    MissingDataError,
    Recording,
    archive_of,
    evenly_spread,
    sound_of,
)
from cstalk_bridge.models.evaluation.suites.known_faces import UNSEEN, emotional_distance
from cstalk_bridge.models.evaluation.voices import ravdess_acted
from cstalk_bridge.models.metrics.geometry import BROWS, lips_at_phones
from cstalk_bridge.models.timing import HOP_SAMPLES, ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.models.training.alignment import relative_loudness
from cstalk_bridge.models.training.captured_faces import ActionUnits, emotion_of
from cstalk_bridge.models.training.sources import held_out, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.multimodal import MeasuredHead, ProceduralAnimation
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders
    from cstalk_bridge.models.metrics.geometry import Geometry

    Floats = NDArray[np.float32]
    Clips = Mapping[str, Sequence[tuple[str, Floats]]]


NEUTRAL, CALM = EMOTIONS[0], "calm"
NORMAL, STRONG = "01", "02"
SPOKEN = ("AU25", "AU26")
SILENT = np.array([place for place, unit in enumerate(UNITS) if unit not in SPOKEN])
"""Positions in `UNITS` of those that speech does not move."""
INNER, OUTER = (
    [place for place, name in enumerate(BROWS) if name.startswith(part)]
    for part in ("inner", "outer")
)
WAYS = ("plain", "own")
"""Without an emotion, and with the one acted."""
LEADING = 3
LOUD_PERCENT = 95
SILENCE_S, SETTLED_S = 3.0, 1.0


class Acted:
    """Closures, similarity to real actors, sway, strong against normal acting, and silence."""

    source = "ravdess"
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int, head: MeasuredHead | None) -> None:
        self._head = required_head(head)
        self.title = f"20 actors: the b of `by` in mm, action units, on {self._head.name}"
        self._clips = ravdess_acted(folders, max_clips)
        self._real = real_changes(folders.needed("ravdess/action_units_means.npz"))
        frames = folders.needed("ravdess/action_units_frames.npz")
        self._real_sway = dict(_real_sways(frames, self._real))

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield shares in percent, gaps in millimetres, cosines and ratios."""
        lips: dict[str, list[tuple[str, float]]] = {}
        unseen: dict[str, list[float]] = {}
        units: dict[str, list[Floats]] = {}
        loud: dict[tuple[str, str], list[float]] = {}
        brows: list[Floats] = []
        for clip in self._clips:
            stem = clip.name.split("/")[1]
            phones = clip.phone_rows()
            played = emotion_of(stem) or {}
            faces = {
                way: predict_face(predictor, clip, lookahead_ms, emotion)
                for way, emotion in (("plain", {}), ("own", played))
            }
            for way, face in faces.items():
                if face is None:
                    return
                mouth = self._geometry(face)
                gap = mouth.gap
                if clip.emotion == NEUTRAL and way == "plain":
                    brows.append(mouth.brow)
                for name, values in lips_at_phones(gap, phones).items():
                    values_at = lips.setdefault(f"{way}_{name}", [])
                    values_at += [(clip.emotion, value) for value in values]
                    if part_of(clip.name) == "test":
                        unseen.setdefault(f"unseen_{way}_{name}", []).extend(values)
                if way == "own":
                    units.setdefault(clip.emotion, []).append(units_of(face)[phones > 0])
            loud.setdefault((clip.emotion, stem.split("-")[3]), []).append(
                float(np.percentile(gap, LOUD_PERCENT))
            )
        yield from _closures(lips)
        for key in (f"unseen_{way}_{name}" for way in WAYS for name in ("closed", "false")):
            yield mean(f"acted.{key}", [100 * value for value in unseen.get(key, [])])
        yield from _similarity(units, self._real)
        yield from self._sways(units)
        yield from _effort(loud)
        yield mean("acted.brow_sd", [float(brow.std(0).mean()) for brow in brows])
        yield mean("acted.brow_sides", [float(np.abs(_sides(brow)).mean()) for brow in brows])
        yield from self._silence(predictor, lookahead_ms)

    def _geometry(self, face: Floats) -> Geometry:
        return self._head.geometry(self._head.scores(face))

    def _sways(self, units: Mapping[str, list[Floats]]) -> Iterator[Measurement]:
        for emotion in EMOTIONS[1:]:
            if emotion in units and emotion in self._real:
                own = [sway(clip, leading(self._real[emotion])) for clip in units[emotion]]
                yield mean(f"acted.sway_{emotion}", [one for one in own if np.isfinite(one)])
            if emotion in self._real_sway:
                yield mean(f"acted.real_sway_{emotion}", self._real_sway[emotion])

    def _silence(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield gap, brows and corners of a silent face in each emotion."""
        silence = np.zeros(round(SILENCE_S * SAMPLE_RATE_HZ), dtype=np.float32)
        for emotion in EMOTIONS:
            silent = Recording("silence", silence, phones=())
            face = predict_face(predictor, silent, lookahead_ms, {emotion: 1.0})
            if face is not None:
                settled = self._geometry(face[round(SETTLED_S * ROW_RATE_HZ) :])
                yield mean(f"acted.silent_{emotion}", settled.gap.tolist())
                brow = settled.brow.mean(0)
                corners = (settled.corner_left + settled.corner_right) / 2
                count = len(corners)
                yield Measurement(f"acted.inner_brow_{emotion}", float(brow[INNER].mean()), count)
                yield Measurement(f"acted.outer_brow_{emotion}", float(brow[OUTER].mean()), count)
                yield mean(f"acted.corners_{emotion}", corners.tolist())


def _sides(brow: Floats) -> Floats:
    """Return how much higher the left brow is than the right, inner and outer, [rows, 2]."""
    left, right = (
        brow[:, [BROWS.index(f"{place}_{side}") for place in ("inner", "outer")]]
        for side in ("left", "right")
    )
    return np.asarray(left - right)


def _closures(lips: Mapping[str, list[tuple[str, float]]]) -> Iterator[Measurement]:
    for way in WAYS:
        for name in ("closed", "false"):
            found = lips.get(f"{way}_{name}", [])
            yield mean(f"acted.{way}_{name}", [100 * value for _, value in found])
        for emotion in dict.fromkeys(RAVDESS_EMOTIONS.values()):
            found = [one for one in lips.get(f"{way}_closed", []) if one[0] == emotion]
            yield mean(f"acted.{way}_closed_{emotion}", [100 * value for _, value in found])
        narrowest = [value for _, value in lips.get(f"{way}_narrowest", [])]
        yield percentile(f"acted.{way}_narrowest", narrowest, 90)


def real_changes(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return the change of real actors' mean units from neutral, by emotion, [units]."""
    with archive_of(path) as archive:
        names = [str(name) for name in archive["names"]]
        columns = [names.index(f"{unit}_r") for unit in UNITS]
        values = archive["means"][:, columns].astype(np.float64)
        emotions = np.array([RAVDESS_EMOTIONS[str(c).split("-")[2]] for c in archive["clips"]])
    rest = values[emotions == NEUTRAL].mean(0)
    played = [name for name in EMOTIONS[1:] if (emotions == name).any()]
    return {name: values[emotions == name].mean(0) - rest for name in played}


def leading(change: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the positions in `UNITS` of the `LEADING` units that an emotion raises most."""
    return np.asarray(SILENT[np.argsort(-change[SILENT])[:LEADING]])


def sway(units: NDArray[np.floating], places: NDArray[np.int64]) -> float:
    """Return standard deviation over mean of the sum of some units [rows, units], in percent."""
    total = units[:, places].sum(1)
    return 100 * float(total.std() / total.mean()) if len(total) and total.mean() > 0 else np.nan


def _real_sways(
    path: Path, changes: Mapping[str, NDArray[np.float64]]
) -> Iterator[tuple[str, list[float]]]:
    with archive_of(path) as archive:
        names = [str(name) for name in archive["names"]]
        columns = [names.index(f"{unit}_r") for unit in UNITS]
        for emotion, change in changes.items():
            clips = [
                archive[stem][:, columns].astype(np.float32)
                for stem in archive.files
                if stem != "names" and RAVDESS_EMOTIONS[stem.split("-")[2]] == emotion
            ]
            known = [clip[np.isfinite(clip).all(1)] for clip in clips]
            swaying = [sway(clip, leading(change)) for clip in known]
            yield emotion, [one for one in swaying if np.isfinite(one)]


def _similarity(
    units: Mapping[str, list[Floats]], real: Mapping[str, NDArray[np.float64]]
) -> Iterator[Measurement]:
    means = {
        emotion: np.mean([clip.mean(0) for clip in clips if len(clip)], axis=0)
        for emotion, clips in units.items()
    }
    for emotion in EMOTIONS[1:]:
        if emotion not in means or NEUTRAL not in means or emotion not in real:
            continue
        own, true = means[emotion] - means[NEUTRAL], real[emotion]
        lengths = float(np.linalg.norm(own)), float(np.linalg.norm(true))
        count = len(units[emotion])
        cosine = float(own @ true) / max(lengths[0] * lengths[1], 1e-9)
        yield Measurement(f"acted.like_{emotion}", cosine, count)
        yield Measurement(f"acted.like_size_{emotion}", lengths[0] / max(lengths[1], 1e-9), count)


def _effort(loud: Mapping[tuple[str, str], list[float]]) -> Iterator[Measurement]:
    """Yield how much wider strong acting opens than normal acting, in percent."""
    for emotion in EMOTIONS[1:]:
        normal, strong = loud.get((emotion, NORMAL)), loud.get((emotion, STRONG))
        if normal and strong and np.mean(normal) > 0:
            more = 100 * (float(np.mean(strong)) / float(np.mean(normal)) - 1)
            yield Measurement(f"acted.effort_{emotion}", more, len(strong))


REGIONS = {
    "brows": ("AU01", "AU02", "AU04"),
    "lids": ("AU05", "AU07"),
    "cheeks": ("AU06",),
    "nose": ("AU09",),
    "corners": ("AU12", "AU14", "AU15"),
}
"""Units by region of the upper face and of the lip corners."""
NEUTRAL_CLIPS = (NEUTRAL, CALM)
VOICED_FROM = 0.05
"""Relative loudness from which a row is speech."""
LONG_SILENCE_S = 20.0
_SIDED = [name for name in AUDIO_DRIVEN if name.startswith("CTRL_L_") and "mouth" not in name]
_LEFT = [AUDIO_DRIVEN.index(name) for name in _SIDED]
_RIGHT = [AUDIO_DRIVEN.index(name.replace("_L_", "_R_", 1)) for name in _SIDED]


class Acting:
    """Change of emotions, spread and asymmetry of neutral speech, and what is still in silence."""

    title = "acting of animated faces, action units beside those of actors 01-04"
    source = "ravdess"
    is_timed = False

    def __init__(
        self, folders: Folders, max_clips: int, animation: ProceduralAnimation | None
    ) -> None:
        self._animation = required_animation(animation)
        frames = folders.needed("ravdess/action_units_frames.npz")
        self._real = tracked_units(frames)
        with archive_of(frames) as archive:
            self._captured = ActionUnits(archive)
        self._changes = real_changes(folders.needed("ravdess/action_units_means.npz"))
        audio = folders.needed("ravdess/audio")
        known = {stem for clips in self._real.values() for stem, _ in clips}
        paths = [path for path in sorted(audio.glob("*.opus")) if path.stem in known]
        if not paths:
            raise MissingDataError(f"{audio} has no recording of a tracked clip; download it again")
        self._clips = [
            Recording(path.stem, sound_of(path), RAVDESS_EMOTIONS[path.stem.split("-")[2]])
            for path in evenly_spread(paths, max_clips, audio)
        ]

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield shares in percent, and differences of both sides in board values."""
        if isinstance(predictor, PhonePredictor):
            return
        faces: dict[str, list[tuple[str, Floats]]] = {}
        pairs: list[tuple[Floats, Floats, str, str]] = []
        for seed, clip in enumerate(self._clips):
            mix = emotion_of(clip.name)
            face = self._animated(predictor, clip, lookahead_ms, mix or {}, seed)
            true = self._captured.channels(clip.name, clip.rows)
            if mix is not None and true is not None:
                pairs.append((face, true, clip.emotion, clip.name[-2:]))
            spoken = np.flatnonzero(_loudness(clip) > VOICED_FROM)
            if len(spoken):
                part = face[spoken[0] : spoken[-1] + 1]
                faces.setdefault(clip.emotion or "", []).append((clip.name, part))
        units = {
            emotion: [(stem, units_of(face)) for stem, face in clips]
            for emotion, clips in faces.items()
        }
        yield from self._changing(units)
        yield from spreads(units, self._real)
        yield from _distances(pairs)
        sides = [
            float(np.abs((face[:, _LEFT] - face[:, _RIGHT]).mean(0)).mean())
            for emotion in NEUTRAL_CLIPS
            for _, face in faces.get(emotion, [])
        ]
        yield mean("acting.sides", sides)
        silence = np.zeros(round(LONG_SILENCE_S * SAMPLE_RATE_HZ), dtype=np.float32)
        still = self._animated(predictor, Recording("silence", silence), lookahead_ms, {}, 0)
        at_zero = [
            name for name, curve in zip(AUDIO_DRIVEN, still.T, strict=True) if not any(curve)
        ]
        yield Measurement("acting.at_zero", float(len(at_zero)), still.shape[1])

    def _animated(
        self,
        predictor: Predictor,
        clip: Recording,
        lookahead_ms: int,
        mix: Mapping[str, float],
        seed: int,
    ) -> Floats:
        """Return the animated face of a clip, [rows, 81]."""
        emotions = np.zeros((clip.rows, len(EMOTIONS)), dtype=np.float32)
        for name, weight in mix.items():
            emotions[:, EMOTIONS.index(name)] = weight
        face = predictor.faces(clip.sound, emotions, lookahead_ms)
        known = clip.sound[lookahead_ms * SAMPLE_RATE_HZ // 1000 :]
        board = self._animation(known, emotions, face, seed).board
        return np.asarray(board[:, AUDIO_DRIVEN_COLUMNS])

    def _changing(self, units: Clips) -> Iterator[Measurement]:
        for emotion, change in self._changes.items():
            places = leading(change)
            for whose, clips in (("", units), ("real_", self._real)):
                found = clips.get(emotion, [])
                within = [sway(clip, places) for _, clip in found]
                yield mean(f"acting.{whose}change_{emotion}", [x for x in within if np.isfinite(x)])
                yield mean(f"acting.{whose}between_{emotion}", between(found, places))


def _distances(pairs: Sequence[tuple[Floats, Floats, str, str]]) -> Iterator[Measurement]:
    """Yield the distances of region correlations over all actors and over the unseen ones."""
    unseen = held_out()["test"]["ravdess_faces"]
    of_unseen = [pair for pair in pairs if pair[3] in unseen]
    for which, some in (("", pairs), (UNSEEN, of_unseen)):
        apart = emotional_distance([pair[:3] for pair in some])
        yield Measurement(f"acting.{which}region_distance", apart, len(some))


def _loudness(clip: Recording) -> Floats:
    whole = np.zeros(clip.rows * HOP_SAMPLES, dtype=np.float32)
    whole[: len(clip.sound)] = clip.sound
    return np.asarray(relative_loudness(whole) if whole.any() else np.zeros(clip.rows, np.float32))


def between(clips: Sequence[tuple[str, Floats]], places: NDArray[np.int64]) -> list[float]:
    """Return the spread of the means of each actor's clips, as a share of their mean in percent.

    `clips` are file stems, which end in the actor, and units [rows, units]; an actor needs two.
    """
    by_actor: dict[str, list[float]] = {}
    for stem, units in clips:
        by_actor.setdefault(stem[-2:], []).append(float(units[:, places].sum(1).mean()))
    several = [np.array(means) for means in by_actor.values() if len(means) > 1]
    return [100 * float(means.std() / means.mean()) for means in several if means.mean() > 0]


def spreads(units: Clips, real: Clips) -> Iterator[Measurement]:
    """Yield the spread of each region in neutral and calm clips, over the real one, in percent."""
    for region, names in REGIONS.items():
        places = [UNITS.index(name) for name in names]
        own, true = (
            [
                clip[:, places].std(0).mean()
                for name in NEUTRAL_CLIPS
                for _, clip in clips.get(name, [])
            ]
            for clips in (units, real)
        )
        if own and true and np.mean(true) > 0:
            yield Measurement(
                f"acting.spread_{region}", 100 * float(np.mean(own) / np.mean(true)), len(own)
            )


def tracked_units(path: Path) -> dict[str, list[tuple[str, Floats]]]:
    """Return the tracked clips of each emotion: file stem and units [frames, units], 0..5."""
    found: dict[str, list[tuple[str, Floats]]] = {}
    with archive_of(path) as archive:
        names = [str(name) for name in archive["names"]]
        columns = [names.index(f"{unit}_r") for unit in UNITS]
        for stem in archive.files:
            if stem != "names":
                clip = archive[stem][:, columns].astype(np.float32)
                known = clip[np.isfinite(clip).all(1)]
                found.setdefault(RAVDESS_EMOTIONS[stem.split("-")[2]], []).append((stem, known))
    return found

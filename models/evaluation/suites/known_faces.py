"""Comparison with known faces.

They are captured curves of GRID and FACEGOOD, tracked lips in millimetres, action units, and the
targets of training.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from cstalk_bridge.models.board import (
    MOUTH,
    UPPER,
    jaw,
    mouth_close,
    opening,
    pucker,
    region_correlation,
    region_distance,
    together,
)
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS, MOUTH_GUARD
from cstalk_bridge.models.evaluation.catalog import SIZE_TOLERANCE
from cstalk_bridge.models.evaluation.measures import (
    Measurement,
    agreement_with,
    mean,
    median,
)
from cstalk_bridge.models.evaluation.multimodal import required_head
from cstalk_bridge.models.evaluation.predictors import predict_face
from cstalk_bridge.models.evaluation.recordings import (
    MissingDataError,
    Recording,
    archive_of,
    evenly_spread,
    facegood,
    grid,
    ravdess_captured,
    reading,
    strangers,
)
from cstalk_bridge.models.metrics.curves import (
    CLOSERS,
    FEWEST_PEOPLE,
    LAGS_S,
    NO_CLOSURES,
    OPEN_VOWELS,
    at_own_lag,
    closures,
    dynamics_deviation,
    extent,
    jerk,
    lagged,
    mean_distance,
    pearson,
    ratios,
    squared_error,
    summary,
)
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import HOP_S, ROW_RATE_HZ
from cstalk_bridge.models.training.batches import ALIGNED
from cstalk_bridge.models.training.captured_faces import OBSERVED_CHANNELS, ActionUnits, emotion_of
from cstalk_bridge.models.training.corpus import Corpus
from cstalk_bridge.models.training.rules import SPOKEN, envelopes_of, face_targets
from cstalk_bridge.models.training.sources import held_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.multimodal import MeasuredHead
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Folders

    Floats = NDArray[np.float32]

    Pair = tuple[Floats, Floats, str, str]


"""Generated face, real face, emotion, actor."""


UNSEEN = "unseen_"
"""Prefix of the measures on actors whose faces trained nothing."""
OBSERVED = np.flatnonzero(OBSERVED_CHANNELS)
UNITS_MOUTH, UNITS_UPPER = (np.intersect1d(OBSERVED, group) for group in (MOUTH, UPPER))
"""Positions of the channels that action units determine."""


class Ravdess:
    """Lip-sync by emotion; distances and region correlation to the faces of the action units."""

    title = "actors 01-04: acted emotions, OpenFace action units"
    source = "ravdess"
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int) -> None:
        self._clips = ravdess_captured(folders, max_clips)
        path = folders.needed("ravdess/action_units_frames.npz")
        with archive_of(path) as archive:
            self._units = ActionUnits(archive)

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield agreement without and with the clip's emotion, and distances with it."""
        plain: list[float] = []
        own, emotions, actors = [], [], []
        pairs: list[Pair] = []
        for clip in self._clips:
            stem = clip.name.split("/")[1]
            neutral = predict_face(predictor, clip, lookahead_ms)
            emotional = predict_face(predictor, clip, lookahead_ms, emotion_of(stem))
            if neutral is None or emotional is None:
                continue
            plain.append(agreement_with(jaw(neutral), clip, "AU25_r", "AU26_r").near)
            own.append(agreement_with(jaw(emotional), clip, "AU25_r", "AU26_r"))
            emotions.append(clip.emotion)
            actors.append(stem[-2:])
            true = self._units.channels(stem, clip.rows)
            if true is not None:
                pairs.append((emotional, true, clip.emotion, stem[-2:]))
        near = [found.near for found in own]
        yield median("ravdess.plain_r", plain)
        yield median("ravdess.own_r", near)
        yield median("ravdess.own_r0", [found.at_zero_lag for found in own])
        yield median("ravdess.own_lag_ms", [found.lag_s * 1000 for found in own])
        lost = np.subtract(plain, near)
        yield mean("ravdess.loss", list(lost))
        played = np.array(emotions)
        for emotion in dict.fromkeys(emotions):
            of_it = played == emotion
            yield median(f"ravdess.{emotion}_r", list(np.array(near)[of_it]))
            yield mean(f"ravdess.{emotion}_loss", list(lost[of_it]))
        yield from _distances(pairs)
        unseen = held_out()["test"]["ravdess_faces"]
        is_unseen = np.isin(actors, unseen)
        for name, found in (("plain", plain), ("own", near)):
            yield median(f"ravdess.{UNSEEN}{name}_r", list(np.array(found)[is_unseen]))
        yield from _compared([pair for pair in pairs if pair[3] in unseen], UNSEEN)


def _distances(pairs: list[Pair]) -> Iterator[Measurement]:
    if not pairs:
        return
    yield from _compared(pairs)
    whole = [mean_distance(m[:, OBSERVED], t[:, OBSERVED]) for m, t, *_ in pairs]
    yield mean("ravdess.mve", whole)
    deviations = [dynamics_deviation(m[:, UNITS_UPPER], t[:, UNITS_UPPER]) for m, t, *_ in pairs]
    yield mean("ravdess.fdd", deviations)
    yield mean("ravdess.fdd_size", list(np.abs(deviations)))


def _compared(pairs: list[Pair], which: str = "") -> Iterator[Measurement]:
    """Yield LVE, EVE and the region distance of `pairs`; `which` prefixes their names."""
    if not pairs:
        return
    for name, group in (("lve", UNITS_MOUTH), ("eve", UNITS_UPPER)):
        errors = [squared_error(m[:, group], t[:, group]) for m, t, *_ in pairs]
        yield mean(f"ravdess.{which}{name}", errors)
    apart = emotional_distance([pair[:3] for pair in pairs])
    yield Measurement(f"ravdess.{which}region_distance", apart, len(pairs))


def emotional_distance(pairs: Sequence[tuple[Floats, Floats, str]]) -> float:
    """Return the distance of region correlations of generated to real faces, mean over emotions.

    `pairs` are a generated and a real face [rows, 81] and the emotion; channels without an action
    unit are left out.
    """
    apart = []
    for emotion in dict.fromkeys(pair[2] for pair in pairs):
        generated = [m for m, _, name in pairs if name == emotion]
        true = [t for _, t, name in pairs if name == emotion]
        one, other = (region_correlation(faces, OBSERVED_CHANNELS) for faces in (generated, true))
        apart.append(region_distance(one, other))
    return float(np.mean(apart)) if apart else float("nan")


class Targets:
    """Held-out clips; clip i gets emotion i of the table, modulo, at weight 1."""

    title = "training targets of held-out clips (GRID, Kokoro voices), all emotions in turn"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int) -> None:
        path = folders.prepared(
            "index.json", "run cstalk_bridge.models.training.prepare, or name it with --cache"
        )
        with reading(path, "run cstalk_bridge.models.training.prepare again"):
            self._corpus = Corpus(folders.cache, "test")
        whole = [c for source in ALIGNED for c in self._corpus.by_source[source]]
        self._clips = evenly_spread(whole, max_clips, path)

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield LVE, EVE, MVE, FDD and the distance of region correlations."""
        pairs = []
        for number, clip in enumerate(self._clips):
            rows = slice(clip["first"], clip["first"] + clip["rows"])
            emotion = number % len(EMOTIONS)
            generated = predict_face(
                predictor,
                self._recording(clip["name"], rows),
                lookahead_ms,
                {EMOTIONS[emotion]: 1.0},
            )
            if generated is not None:
                pairs.append((generated, self._target(rows, emotion)))
        if not pairs:
            return
        mouth, upper = list(MOUTH), list(UPPER)
        yield mean("targets.lve", [squared_error(m[:, mouth], t[:, mouth]) for m, t in pairs])
        yield mean("targets.eve", [squared_error(m[:, upper], t[:, upper]) for m, t in pairs])
        yield mean("targets.mve", [mean_distance(m, t) for m, t in pairs])
        deviations = [dynamics_deviation(m[:, upper], t[:, upper]) for m, t in pairs]
        yield mean("targets.fdd", deviations)
        yield mean("targets.fdd_size", list(np.abs(deviations)))
        one, other = (region_correlation([pair[i] for pair in pairs]) for i in (0, 1))
        yield Measurement("targets.region_distance", region_distance(one, other), len(pairs))

    def _recording(self, name: str, rows: slice) -> Recording:
        sound = np.asarray(self._corpus.samples[rows], dtype=np.float32).ravel() / 32768.0
        phones = np.asarray(self._corpus.phones[rows])
        edges = [0, *(np.flatnonzero(np.diff(phones)) + 1).tolist(), len(phones)]
        segments = tuple((a * HOP_S, b * HOP_S, PHONES[phones[a]]) for a, b in pairwise(edges))
        return Recording(name, sound, phones=segments)

    def _target(self, rows: slice, emotion: int) -> NDArray[np.float32]:
        conditions = np.zeros(len(CONDITIONS), dtype=np.float32)
        conditions[emotion], conditions[-1] = float(emotion > 0), MOUTH_GUARD
        gestures, stress = (
            np.asarray(track[rows], dtype=np.float32)
            for track in (self._corpus.gestures, self._corpus.stress)
        )
        envelopes = envelopes_of(np.flatnonzero(stress > SPOKEN), np.arange(len(stress)))
        given = (gestures, stress, envelopes, conditions)
        generated = face_targets(*(torch.from_numpy(track)[None] for track in given))
        return np.asarray(generated[0].numpy(), dtype=np.float32)


class Grid:
    """Curves as captured, not the targets of the training recipe."""

    title = "test part: a tracked man"
    source = ""
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int) -> None:
        self._clips = grid(folders, max_clips)
        self._true_jerk = [_true_jerk(clip) for clip in self._clips]

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield agreement of jaw, purse and closing, and jerk."""
        generated = [(predict_face(predictor, clip, lookahead_ms), clip) for clip in self._clips]
        faces = [(face, clip) for face, clip in generated if face is not None]
        if not faces:
            return
        jaws = [agreement_with(jaw(face), clip, "jawOpen") for face, clip in faces]
        yield median("grid.jaw_r", [found.near for found in jaws])
        yield median("grid.jaw_r0", [found.at_zero_lag for found in jaws])
        yield median("grid.jaw_lag_ms", [found.lag_s * 1000 for found in jaws])
        rounded = [agreement_with(pucker(face), clip, "mouthPucker") for face, clip in faces]
        yield median("grid.pucker_r", [found.near for found in rounded])
        yield median("grid.pucker_lag_ms", [found.lag_s * 1000 for found in rounded])
        for key, curve, true in (
            ("grid.close_r", mouth_close, "mouthClose"),
            ("grid.together_r", together, "mouthClose"),
        ):
            yield median(
                key, [agreement_with(curve(face), clip, true).near for face, clip in faces]
            )
        yield mean("grid.jerk", [jerk(opening(face)) for face, _ in faces])
        yield mean("grid.true_jerk", self._true_jerk)
        spoken = [
            closures(together(face), opening(face), clip.phone_rows(), CLOSERS, OPEN_VOWELS)
            for face, clip in faces
            if clip.phones is not None
        ]
        if spoken:
            lips = sum(spoken, NO_CLOSURES)
            yield Measurement("grid.closures", 100 * lips.rate, lips.closers)
            yield Measurement("grid.false_open", 100 * lips.false_rate, lips.vowels)


def _true_jerk(clip: Recording) -> float:
    captured = clip.curves["jawOpen"]
    times_s = np.arange(clip.rows) / ROW_RATE_HZ
    return jerk(np.interp(times_s, clip.times_s, captured).astype(np.float32))


HELD_OUT = "facegood/1114_2_05"


class Facegood:
    """`mouth_stretch_c` acts as the jaw; 2_05 is never trained on, the others may be."""

    title = "a Mandarin voice, artist-solved, 50 ms capture lag removed"
    source = "facegood"
    is_timed = True

    def __init__(self, folders: Folders, max_clips: int) -> None:
        self._clips = facegood(folders, max_clips)

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield agreement on the held-out clip and on all."""
        found = {}
        for clip in self._clips:
            face = predict_face(predictor, clip, lookahead_ms)
            if face is not None:
                found[clip.name] = agreement_with(jaw(face), clip, "mouth_stretch_c")
        if one := found.get(HELD_OUT):
            yield Measurement("facegood.one_r", one.near, 1)
            yield Measurement("facegood.one_lag_ms", one.lag_s * 1000, 1)
        every = list(found.values())
        yield median("facegood.all_r", [agreed.near for agreed in every])
        yield median("facegood.all_r0", [agreed.at_zero_lag for agreed in every])
        yield median("facegood.all_lag_ms", [agreed.lag_s * 1000 for agreed in every])


CURVES = {"gap": "gap_mm", "width": "width_mm", "pucker": "mouthPucker"}
"""Compared measures and their captured curves: two in millimetres, one as ARKit's score."""
FEWEST_CLIPS = 5


class People:
    """Tracked people, measured under the keys `<key>.<curve>_<measure>`."""

    is_timed = True

    def __init__(
        self,
        key: str,
        title: str,
        source: str,
        people: Mapping[str, Sequence[Recording]],
        head: MeasuredHead,
    ) -> None:
        self.title = f"{title}, on {head.name}"
        self.source = source
        self._key = key
        self._people = people
        self._head = head

    def measure(self, predictor: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield agreement and sizes of each curve."""
        correlations: dict[str, list[NDArray[np.float64]]] = {curve: [] for curve in CURVES}
        enough = min(FEWEST_CLIPS, max(map(len, self._people.values())))
        sizes: dict[str, list[tuple[float, float]]] = {curve: [] for curve in CURVES}
        for clips in self._people.values():
            generated = [(predict_face(predictor, clip, lookahead_ms), clip) for clip in clips]
            faces = [(self._curves(face), clip) for face, clip in generated if face is not None]
            if not faces:
                continue
            for curve, true in CURVES.items():
                followed = [lagged(m[curve], c.times_s, c.curves[true]) for m, c in faces]
                correlations[curve].append(np.array(followed))
                if len(faces) >= enough:
                    own = float(np.mean([extent(m[curve]) for m, _ in faces]))
                    real = float(np.mean([extent(c.curves[true]) for _, c in faces]))
                    sizes[curve].append((own, real))
        for curve in CURVES:
            yield from self._found(curve, correlations[curve], sizes[curve])
            if len(sizes[curve]) >= FEWEST_PEOPLE:
                yield from self._found_alike(curve, correlations[curve], max(2, enough))

    def _curves(self, face: Floats) -> dict[str, Floats]:
        scores = self._head.scores(face)
        found = self._head.geometry(scores)
        return {"gap": found.gap, "width": found.width, "pucker": scores["mouthPucker"]}

    def _found_alike(
        self, curve: str, correlations: Sequence[NDArray[np.float64]], fewest: int
    ) -> Iterator[Measurement]:
        """Yield r where a person with a clip or two does not count like one with many."""
        key = f"{self._key}.{curve}"
        together = np.concatenate(correlations)[:, len(LAGS_S) // 2]
        yield mean(f"{key}_clips_r", together.tolist())
        many = [clips for clips in correlations if len(clips) >= fewest]
        yield mean(f"{key}_own_lag_r", [at_own_lag(clips) for clips in many])

    def _found(
        self,
        curve: str,
        correlations: Sequence[NDArray[np.float64]],
        sizes: Sequence[tuple[float, float]],
    ) -> Iterator[Measurement]:
        if not correlations:
            return
        key = f"{self._key}.{curve}"
        every = summary(np.mean([clips.mean(0) for clips in correlations], axis=0))
        yield Measurement(f"{key}_r", every.at_zero_lag, len(correlations))
        yield Measurement(f"{key}_lag_ms", 1000 * every.lag_s, len(correlations))
        own, real = [one for one, _ in sizes], [one for _, one in sizes]
        beside = ratios(own, real)
        yield median(f"{key}_ratio", beside.tolist())
        yield mean(f"{key}_size", own)
        yield mean(f"{key}_real_size", real)
        if curve == "gap" and len(sizes) >= FEWEST_PEOPLE:
            near = 100 * float((np.abs(beside - 1) <= SIZE_TOLERANCE).mean())
            yield Measurement(f"{key}_within", near, len(beside))
            yield Measurement(f"{key}_size_r", pearson(np.array(own), np.array(real)), len(sizes))


def grid_people(folders: Folders, max_clips: int, head: MeasuredHead | None) -> People:
    """Return the suite of the GRID talker's test clips, with the curves as tracked."""
    title = "the tracked speaker of the training set, held-out clips, in mm"
    return People(
        "grid_mm", title, "grid_s1", {"s1": grid(folders, max_clips)}, required_head(head)
    )


def strangers_people(folders: Folders, max_clips: int, head: MeasuredHead | None) -> People:
    """Return the suite of 36 news readers, on whom the default weights were not trained."""
    title = "36 news readers (Arabic), tracked, in mm"
    return People(
        "strangers", title, "strangers", strangers(folders, max_clips), required_head(head)
    )


def unseen_strangers(folders: Folders, max_clips: int, head: MeasuredHead | None) -> People:
    """Return the suite of those news readers on whom no research build was trained either.

    MissingDataError where the data hold none of them.
    """
    unseen = held_out()["test"]["strangers_people"]
    everybody = strangers(folders, max_clips)
    people = {person: clips for person, clips in everybody.items() if person in unseen}
    if not people:
        raise MissingDataError("the news readers hold none of those in split.json; download again")
    title = "the 12 news readers who are held out of research builds too, in mm"
    return People("unseen_strangers", title, "", people, required_head(head))

"""Faces over time as training data of the region correlation, in windows of several kinds.

- `grid_s1`: a tracked talker, neutral. Trusted are the curves in `GRID_TRUSTED`; the tracker's
  lips (funnel, smile, upper, lower) and nose hardly move, its squint is its blink (r 0.92), and
  blinks belong to no speech.
- `iphone`: a posed range of motion, emotion unknown, every shape of ARKit.
- `ravdess`: actors' action units under acted emotions, as channels; for research only. Not the
  actors of its test part, on whom a generator is measured.
- `rules`: speech of the corpus under drawn emotions (`rules.face_targets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.cstalk.correlation import Windows
from cstalk_bridge.models.emotions import EMOTIONS, MOUTH_GUARD
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training.batches import draw_emotions, emotion_row
from cstalk_bridge.models.training.captured_faces import (
    JAW_GAIN,
    OBSERVED_CHANNELS,
    PUCKER_GAIN,
    ActionUnits,
    above_rest,
    board_of,
    emotion_of,
    named,
    observed_by,
)
from cstalk_bridge.models.training.corpus import Corpus, source_of
from cstalk_bridge.models.training.rules import (
    GESTURE_CHANNELS,
    GESTURES,
    SPOKEN,
    envelopes_of,
    face_targets,
)
from cstalk_bridge.models.training.sources import (
    GRID_CURVES,
    GRID_FPS,
    GRID_LATE_S,
    RAVDESS_FPS,
    SOURCES,
    face_curves,
    held_out,
    part_of,
)
from cstalk_bridge.models.training.targets import OBSERVED_GESTURES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


TRAJECTORY_FILES = {
    "grid_s1": f"grid_s1/{GRID_CURVES}",
    "iphone": "iphone/range_of_motion_30fps.npz",
    "ravdess": "ravdess/action_units_frames.npz",
}
"""Where in the data folder each kind lies."""

GRID_TRUSTED = ("browDownLeft", "browDownRight", "jawOpen", "mouthClose", "mouthPucker")
GRID_GAINS = {"jawOpen": JAW_GAIN, "mouthPucker": PUCKER_GAIN}
GRID_ROWS = 148  # of 3 s: the last frame is that of 2.96 s
IPHONE_FPS = 30.0
IPHONE_PARTS = {"train": (0.0, 0.8), "dev": (0.8, 0.9), "test": (0.9, 1.0)}


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A captured face: `values` [time, 81] at 50 rows a second, `observed` [81].

    `emotion` has the weights of what was played by name; None where that is unknown.
    """

    name: str
    values: NDArray[np.float32]
    observed: NDArray[np.bool_]
    emotion: Mapping[str, float] | None


def grid_trajectories(data: Path, part: str) -> list[Trajectory]:
    """Return the tracked talker's clips of one part (train, dev or test)."""
    archive: Any = np.load(data / TRAJECTORY_FILES["grid_s1"])
    names = list(archive["names"])
    columns = [names.index(name) for name in GRID_TRUSTED]
    observed = observed_by(GRID_TRUSTED)
    trajectories = []
    for clip in sorted(name for name in archive.files if f"{name}__head" in archive.files):
        if part_of(f"grid_s1/{clip}") != part or np.isnan(archive[clip]).any(1).mean() > 0.2:
            continue
        curves = face_curves(archive, clip, GRID_LATE_S, GRID_FPS, GRID_ROWS)[:, columns]
        scores = named(above_rest(curves), GRID_TRUSTED)
        board = board_of(scores)  # lips together are a ratio: taken before the gains
        louder = board_of({name: GRID_GAINS.get(name, 1.0) * s for name, s in scores.items()})
        together = [i for i, name in enumerate(AUDIO_DRIVEN) if "lipsTogether" in name]
        louder[:, together] = board[:, together]
        trajectories.append(Trajectory(f"grid_s1/{clip}", louder, observed, {}))
    return trajectories


def iphone_trajectories(data: Path, part: str) -> list[Trajectory]:
    """Return the posed range of motion; the parts follow each other in every take."""
    archive: Any = np.load(data / TRAJECTORY_FILES["iphone"])
    names = list(archive["names"])
    trajectories = []
    for take in sorted(name for name in archive.files if f"{name}__timecode" in archive.files):
        rows = int(len(archive[take]) / IPHONE_FPS * ROW_RATE_HZ)
        scores = named(above_rest(face_curves(archive, take, 0.0, IPHONE_FPS, rows)), names)
        first, last = (int(share * rows) for share in IPHONE_PARTS[part])
        board = board_of(scores)[first:last]
        trajectories.append(Trajectory(f"iphone/{take}", board, observed_by(scores), None))
    return trajectories


def ravdess_trajectories(data: Path, part: str) -> list[Trajectory]:
    """Return actors' faces; those of every part but train are the held-out actors'."""
    archive: Any = np.load(data / TRAJECTORY_FILES["ravdess"])
    units = ActionUnits(archive)
    unseen = held_out()["test"]["ravdess_faces"]
    trajectories = []
    for stem in sorted(units.clips):
        emotion = emotion_of(stem)
        if emotion is None or (stem[-2:] in unseen) == (part == "train"):
            continue
        rows = int(len(units.clips[stem]) / RAVDESS_FPS * ROW_RATE_HZ)
        board = units.channels(stem, rows)
        if board is not None:
            trajectories.append(Trajectory(f"ravdess/{stem}", board, OBSERVED_CHANNELS, emotion))
    return trajectories


class RuleBasedFaces:
    """Those of one part, of sources that may train the default weights; `rows` are all of them."""

    def __init__(self, cache: Path, part: str) -> None:
        self.corpus = Corpus(cache, part)
        self.clips = [clip for clip in self.corpus.clips if SOURCES[source_of(clip)].default]
        self.rows: int = sum(clip["rows"] for clip in self.clips)

    def draw(
        self, rows: int, emotion: torch.Tensor, random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a face [rows, 81] under `emotion` [emotions], and what of it counts [81]."""
        clips = [clip for clip in self.clips if clip["rows"] >= rows]
        clip = clips[random.integers(len(clips))]
        first = clip["first"] + random.integers(clip["rows"] - rows + 1)
        window = slice(first, first + rows)
        gestures = torch.from_numpy(self.corpus.gestures[window].astype(np.float32))
        stress = torch.from_numpy(self.corpus.stress[window].astype(np.float32))
        spoken = np.flatnonzero(self.corpus.stress[clip["first"] : first + rows] > SPOKEN)
        envelopes = envelopes_of(spoken, np.arange(first, first + rows) - clip["first"])
        conditions = torch.cat((emotion, torch.tensor([MOUTH_GUARD])))
        face = face_targets(
            gestures[None], stress[None], torch.from_numpy(envelopes)[None], conditions[None]
        )[0]
        observed_gestures = OBSERVED_GESTURES[source_of(clip)]
        is_observed = (
            torch.tensor([float(name in observed_gestures) for name in GESTURES]) @ GESTURE_CHANNELS
            > 0
        )
        silent = ~(GESTURE_CHANNELS.amax(0) > 0)
        seen = is_observed | (silent & (len(observed_gestures) == len(GESTURES)))
        return face.numpy(), seen.numpy()


CAPTURED_READERS = {
    "grid_s1": grid_trajectories,
    "iphone": iphone_trajectories,
    "ravdess": ravdess_trajectories,
}
"""What reads each captured kind of a data folder, one part of it."""

KINDS = {"grid_s1": 0.3, "iphone": 0.2, "rules": 0.5}
"""Kinds that may supervise the default weights, and each one's share of the windows."""

RESEARCH_KINDS = {"ravdess": 1.0}
"""Kinds of a network for research: measured faces alone, so that no rule is learned with them."""

UNKNOWN_EMOTION_SHARE = 0.3  # share of windows without emotion input: regions must suffice

KIND_CREDITS = {
    "grid_s1": "GRID corpus, speaker s1 (Cooke et al. 2006), tracked: CC BY 4.0",
    "iphone": "Live Link Face range of motion: MIT",
    "rules": "phonetic rules, FACS postures and the corpus they were applied to",
    "ravdess": f"{SOURCES['ravdess'].title}: {SOURCES['ravdess'].licence}",
}
"""Where each kind comes from, for the card."""


class TrajectoryWindows:
    """Windows of some kinds of one part, drawn by seed and number alone.

    `shares` are those of the kinds; `cache` is read where `rules` are among them.
    """

    def __init__(
        self, data: Path, cache: Path, part: str, shares: Mapping[str, float] = KINDS
    ) -> None:
        self.shares = dict(shares)
        self.captured = {
            kind: read(data, part) for kind, read in CAPTURED_READERS.items() if kind in shares
        }
        self.ruled = RuleBasedFaces(cache, part) if "rules" in shares else None

    def minutes(self) -> dict[str, float]:
        """Return how much there is of each kind."""
        rows = {
            kind: sum(len(trajectory.values) for trajectory in trajectories)
            for kind, trajectories in self.captured.items()
        }
        if self.ruled is not None:
            rows["rules"] = self.ruled.rows
        return {kind: round(count / ROW_RATE_HZ / 60, 1) for kind, count in rows.items()}

    def draw(
        self, rows: int, size: int, seed: int, number: int, kind: str | None = None
    ) -> Windows:
        """Return batch `number` of the run `seed`: `size` windows of `rows` rows.

        The kinds are drawn by their shares, or all are `kind`.
        """
        random = np.random.default_rng((seed, number))
        kinds = (
            random.choice(list(self.shares), size, p=list(self.shares.values()))
            if kind is None
            else [kind] * size
        )
        emotion = draw_emotions(size, len(EMOTIONS), random)
        emotion_known = random.random(size) >= UNKNOWN_EMOTION_SHARE
        values, observed = [], []
        for row, drawn in enumerate(kinds):
            if drawn == "rules" and self.ruled is not None:
                face, seen = self.ruled.draw(rows, emotion[row], random)
            else:
                trajectories = self.captured[drawn]
                trajectory = trajectories[random.integers(len(trajectories))]
                first = random.integers(len(trajectory.values) - rows + 1)
                face, seen = trajectory.values[first : first + rows], trajectory.observed
                # The weight of neutral has no effect, so it stays as drawn.
                emotion[row, 1:] = emotion_row(trajectory.emotion or {})[1:]
                emotion_known[row] &= trajectory.emotion is not None
            values.append(face)
            observed.append(seen)
        return Windows(
            torch.from_numpy(np.stack(values)),
            torch.from_numpy(np.stack(observed)),
            emotion,
            torch.from_numpy(emotion_known),
        )

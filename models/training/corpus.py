"""What a face does during a recording: the targets that the generator learns.

Targets are gestures (`rules.GESTURES`), each in board units, at 50 Hz; row i of a clip is the face
of its audio time i/50 s. Captured curves give the jaw and part of the rounding where a face was
captured; `articulation.py` gives them to every other voice; rules give the rest. What a source
does not observe has no weight in the loss (`OBSERVED`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from models.timing import ROW_RATE_HZ
from models.training import articulation
from models.training.action_units import ActionUnits
from models.training.energy import relative_loudness, smooth
from models.training.rules import GESTURES, phone_indices, rule_curves
from models.training.sources import (
    FACEGOOD_FPS,
    FACEGOOD_LATE_S,
    GRID_FPS,
    GRID_LATE_S,
    Clip,
    face_curves,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

JAW_GAIN = 1.25  # the GRID tracker's jaw against the board's: viewers prefer clear articulation
PUCKER_GAIN = 2.0  # the same for its pucker, whose w and uw reach 0.2 and 0.4
ROUNDING = {"purse": 1.0, "funnel": 0.55, "towards": 0.4}  # shares of a captured pucker
JAW_YIELDS = 0.4  # part of the jaw's opening that a bilabial closure takes away
PAUSE_S = 0.16  # silence this long shuts the mouth
QUIET = 0.12  # relative loudness under which a recording without phones is silent
SEED = 7

COLUMN = {gesture: column for column, gesture in enumerate(GESTURES)}
FACEGOOD_MIX: dict[str, dict[str, float]] = {
    "jaw": {"mouth_stretch_c": 0.85, "mouth_oh_c": 0.25},
    "purse": {"mouth_pucker_l": 1.0, "mouth_oh_c": 0.2, "mouth_oo_c": 0.7},
    "funnel": {"mouth_funnel_dl": 1.0, "mouth_oh_c": 0.45, "mouth_oo_c": 0.3},
    "upper_raise": {"mouth_upperLipRaise_l": 1.2},
    "lower_depress": {"mouth_lowerLipDepress_l": 1.0},
}
"""FACEGOOD's sliders as gestures."""

OBSERVED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("grid_s1", "kathleen", "kokoro"), tuple(GESTURES)),
    "facegood": tuple(FACEGOOD_MIX),
    **dict.fromkeys(("kokoro_more", "ravdess"), tuple(GESTURES)),
}


@dataclass(frozen=True, slots=True)
class Targets:
    """One clip's gestures [time, gestures], phone indices [time] and stress [time] in 0..1.

    `channels` [time, channels] are board values which a tracker saw instead (`action_units.py`).
    """

    gestures: NDArray[np.float32]
    phones: NDArray[np.int64]
    stress: NDArray[np.float32]
    channels: NDArray[np.float32] | None = None


def speaking(phones: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return 1 where someone speaks and 0 in pauses, eased over about 0.12 s, [time]."""
    spoken = phones > 0
    pause = int(PAUSE_S * ROW_RATE_HZ)
    edges = np.flatnonzero(np.diff(np.concatenate(([True], spoken, [True])).astype(np.int8)))
    active = spoken.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        at_edge = start == 0 or end == len(spoken)
        active[start:end] = not at_edge and end - start < pause
    return smooth(active.astype(np.float32), 7)


def compose(
    rules: NDArray[np.float32],
    captured: NDArray[np.float32],
    active: NDArray[np.float32],
    stress: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Join rule curves with a captured (or carried-over) jaw and pucker, [time, gestures]."""
    gestures = rules * active[:, None]
    closed = rules[:, COLUMN["lips_together"]]
    jaw = np.clip(captured[:, 0] * JAW_GAIN, 0.0, 1.0) * active
    gestures[:, COLUMN["jaw"]] = jaw * (1.0 - JAW_YIELDS * closed)
    pucker = np.clip(captured[:, 1] * PUCKER_GAIN, 0.0, 1.0) * active
    for name, share in ROUNDING.items():
        gestures[:, COLUMN[name]] = 0.5 * gestures[:, COLUMN[name]] + 0.5 * share * pucker
    for name in ("stretch", "lower_depress", "upper_raise"):
        gestures[:, COLUMN[name]] *= 0.7 + 0.45 * stress
    return gestures


def facegood_targets(archive: Any, clip: Clip, loudness: NDArray[np.float32]) -> Targets:
    """Return the captured gestures of a FACEGOOD clip; its phones are unknown (all silence)."""
    names = list(archive["names"])
    curves = face_curves(
        archive, clip.name.split("/")[1], FACEGOOD_LATE_S, FACEGOOD_FPS, len(loudness)
    )
    gestures = np.zeros((len(loudness), len(GESTURES)), dtype=np.float32)
    for gesture, mix in FACEGOOD_MIX.items():
        total = sum(weight * curves[:, names.index(name)] for name, weight in mix.items())
        gestures[:, COLUMN[gesture]] = np.clip(total, 0.0, 1.0)
    quiet = smooth((loudness > QUIET).astype(np.float32), 9)
    return Targets(
        gestures * np.clip(quiet * 2, 0, 1)[:, None],
        np.zeros(len(loudness), np.int64),
        smooth(loudness, 9),
    )


class Builder:
    """Turns clips into targets; learns the articulation from the captured ones first."""

    def __init__(self, folders: Mapping[str, Path], phones: dict[str, Any]) -> None:
        self.phones = phones
        self.grid: Any = np.load(folders["grid_s1"] / "curves.npz")
        self.facegood: Any = None
        if "facegood" in folders:
            self.facegood = np.load(folders["facegood"] / "curves.npz")
        self.action_units = None
        if "ravdess" in folders:
            tracks = np.load(folders["ravdess"] / "action_units_frames.npz")
            self.action_units = ActionUnits(tracks)
        names = list(self.grid["names"])
        self.columns = [names.index(name) for name in articulation.CAPTURED]

    def captured(self, clip: Clip, phones: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the captured curves of a GRID clip above its own rest, [time, captured]."""
        curves = face_curves(self.grid, clip.name.split("/")[1], GRID_LATE_S, GRID_FPS, len(phones))
        curves = curves[:, self.columns]
        silent = phones == 0
        rest = np.median(curves[silent], 0) if silent.sum() > ROW_RATE_HZ // 5 else curves.min(0)
        return np.asarray(np.maximum(curves - rest, 0.0), dtype=np.float32)

    def lesson(self, clip: Clip) -> articulation.Lesson:
        """Return what the articulation network learns from one GRID clip."""
        loudness = relative_loudness(clip.samples())
        segments = self.phones[clip.name]
        phones = phone_indices(segments, len(loudness))
        rules = rule_curves(segments, len(loudness))
        return articulation.Lesson(phones, rules, loudness, self.captured(clip, phones))

    def learn(self, clips: list[Clip]) -> None:
        """Learn the articulation from the GRID clips that train; print r on those that do not."""
        known = [clip for clip in clips if clip.source == "grid_s1" and clip.name in self.phones]
        lessons = {clip.name: self.lesson(clip) for clip in known}
        rows = min(len(lesson.phones) for lesson in lessons.values())
        cut = {name: lesson.cut(rows) for name, lesson in lessons.items()}
        self.network = articulation.learn([cut[c.name] for c in known if c.part == "train"], SEED)
        r = articulation.correlation(self.network, [cut[c.name] for c in known if c.part == "dev"])
        print(
            "articulation r on held-out clips:",
            dict(zip(articulation.CAPTURED, r.round(3), strict=True)),
        )

    def keep(self, path: Path) -> None:
        """Write what was learned to a safetensors file, whole or not at all."""
        partial = path.with_suffix(".partial")
        save_file(self.network.state_dict(), partial)
        partial.replace(path)

    def recall(self, path: Path) -> None:
        """Read what an earlier run learned."""
        self.network = articulation.Articulation()
        self.network.load_state_dict(load_file(path))
        self.network.eval()

    def targets(self, clip: Clip, samples: NDArray[np.float32]) -> Targets:
        """Return the targets of any clip with phones or captured curves."""
        loudness = relative_loudness(samples)
        if clip.source == "facegood":
            return facegood_targets(self.facegood, clip, loudness)
        segments = self.phones[clip.name]
        phones = phone_indices(segments, len(loudness))
        rules = rule_curves(segments, len(loudness))
        stress = smooth(loudness, 9)
        if clip.source == "grid_s1":
            captured = self.captured(clip, phones)
        else:
            with torch.inference_mode():
                inputs = articulation.inputs_of(phones, rules, loudness)
                captured = self.network(inputs[None])[0].numpy()
        channels = None
        if clip.source == "ravdess" and self.action_units is not None:
            channels = self.action_units.channels(clip.name.split("/")[1], len(phones))
        gestures = compose(rules, captured, speaking(phones), stress)
        return Targets(gestures, phones, stress, channels)

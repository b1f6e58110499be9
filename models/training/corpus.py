"""The targets that the generator learns, clip by clip.

Captured curves give the mouth where a face was captured; `articulation.py` gives it to every other
voice; rules give the rest. What a source does not observe has no weight in the loss (`OBSERVED`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.torch import load_file, save_file

from models.training import articulation
from models.training.action_units import ActionUnits
from models.training.captured_mouths import CURVES, SLIDERS, CapturedMouths
from models.training.energy import relative_loudness, smooth
from models.training.listener import Listener, accuracy
from models.training.listener import learn as learn_to_listen
from models.training.rules import GESTURES, rule_curves
from models.training.segments import phone_indices, within_sound
from models.training.targets import COLUMN, Targets, compose, speaking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.training.segments import Segment
    from models.training.sources import Clip

QUIET = 0.12  # relative loudness under which a recording without phones is silent
STRESS_ROWS = 9
SEED = 7
CHECKED = 60  # clips on which the listener is checked

OBSERVED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("grid_s1", "kathleen", "kokoro"), tuple(GESTURES)),
    "facegood": tuple(SLIDERS),
    **dict.fromkeys(("kokoro_more", "ravdess"), tuple(GESTURES)),
}
"""The gestures that each source tells."""


class Builder:
    """Turns clips into targets; a listener and the articulation are learned or recalled first."""

    def __init__(
        self, folders: Mapping[str, Path], phones: Mapping[str, Sequence[Segment]]
    ) -> None:
        self.phones = phones
        self.mouths = CapturedMouths(folders)
        self.listener = Listener()
        self.articulation = articulation.Articulation()
        self.action_units = None
        if "ravdess" in folders:
            tracks = np.load(folders["ravdess"] / "action_units_frames.npz")
            self.action_units = ActionUnits(tracks)

    def learn_to_listen(self, clips: Sequence[Clip], path: Path) -> None:
        """Recall the listener kept at `path`, or learn it from aligned clips and keep it there."""
        if not path.exists():
            known = [clip for clip in clips if clip.part == "train"]
            self.listener = learn_to_listen(known, self.phones, SEED)
            held_out = [clip for clip in clips if clip.part != "train"][
                :: max(1, len(clips) // CHECKED)
            ]
            print(f"listener, rows right: {accuracy(self.listener, held_out, self.phones):.3f}")
            _keep(path, self.listener.state_dict())
        self.listener.load_state_dict(load_file(path))
        self.listener.eval()

    def learn_to_articulate(self, clips: Sequence[Clip], path: Path) -> None:
        """Recall the articulation kept at `path`, or learn it from captured clips."""
        if not path.exists():
            lessons = {
                part: [self.lesson(c) for c in clips if c.part == part] for part in ("train", "dev")
            }
            self.articulation = articulation.learn(lessons["train"], SEED)
            r = articulation.correlation(self.articulation, lessons["dev"])
            told = {name: round(value, 3) for name, value in zip(CURVES, r, strict=True)}
            print(f"articulation, r on held-out clips: {told}")
            _keep(path, self.articulation.state_dict())
        self.articulation.load_state_dict(load_file(path))
        self.articulation.eval()

    def lesson(self, clip: Clip) -> articulation.Lesson:
        """Return what the articulation network learns from one captured clip."""
        samples = clip.samples()
        loudness = relative_loudness(samples)
        inputs = articulation.inputs_of(self.listener.hear(samples), loudness)
        stem = clip.name.split("/")[1]
        if clip.source == "facegood":
            captured = self.mouths.facegood(stem, len(loudness))
        else:
            phones = phone_indices(self.phones[clip.name], len(loudness))
            captured = self.mouths.grid(stem, phones)
        return articulation.Lesson(clip.source, inputs, captured)

    def targets(self, clip: Clip, samples: NDArray[np.float32]) -> Targets:
        """Return the targets of any clip with phones or captured curves."""
        loudness = relative_loudness(samples)
        if clip.source == "facegood":
            return self._mandarin(clip, loudness)
        segments = within_sound(clip.source, self.phones[clip.name], samples)
        stem, rows = clip.name.split("/")[1], len(loudness)
        phones, rules = phone_indices(segments, rows), rule_curves(segments, rows)
        is_captured = clip.source == "grid_s1"
        if is_captured:
            mouth = self.mouths.grid(stem, phones)
        else:
            heard = self.listener.hear(samples)
            mouth = self.articulation.carry(articulation.inputs_of(heard, loudness))
        stress = smooth(loudness, STRESS_ROWS)
        gestures = compose(rules, mouth, speaking(phones), stress, is_captured=is_captured)
        channels = None
        if clip.source == "ravdess" and self.action_units is not None:
            channels = self.action_units.channels(stem, rows)
        return Targets(gestures, phones, stress, channels)

    def _mandarin(self, clip: Clip, loudness: NDArray[np.float32]) -> Targets:
        """Return the captured gestures of a FACEGOOD clip; its phones are unknown (all silence)."""
        rows = len(loudness)
        gestures = np.zeros((rows, len(GESTURES)), dtype=np.float32)
        told = self.mouths.facegood_gestures(clip.name.split("/")[1], rows)
        for gesture, curve in told.items():
            gestures[:, COLUMN[gesture]] = curve
        spoken = smooth((loudness > QUIET).astype(np.float32), STRESS_ROWS)
        gestures *= np.clip(2.0 * spoken, 0.0, 1.0)[:, None]
        return Targets(gestures, np.zeros(rows, np.int64), smooth(loudness, STRESS_ROWS))


def _keep(path: Path, state: Mapping[str, Any]) -> None:
    """Write what was learned to a safetensors file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, partial)
    partial.replace(path)

"""The targets that the generator learns, clip by clip: rules joined with captured curves.

Captured curves give the mouth where a face was captured; `articulation.py` gives it to every other
voice; rules give the rest. What a source does not observe has no weight in the loss. Gestures
(`rules.GESTURES`) are in board units, at 50 Hz; row i of a clip is the face of its time i/50 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.torch import load_file, save

from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training import captured_faces
from cstalk_bridge.models.training.alignment import (
    phone_indices,
    relative_loudness,
    smooth,
    within_sound,
)
from cstalk_bridge.models.training.captured_faces import (
    CURVES,
    SLIDERS,
    ActionUnits,
    CapturedMouths,
)
from cstalk_bridge.models.training.phone_recognizer import PhoneRecognizer, accuracy
from cstalk_bridge.models.training.phone_recognizer import learn as learn_to_listen
from cstalk_bridge.models.training.rules import GESTURES, rule_curves

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.training.sources import Clip


JAW_YIELDS = 0.4  # part of the jaw's opening that a bilabial closure takes away
CAPTURED_CLOSES = 0.6
"""Lips together in p b m on a captured face beyond what its tracker saw, which hardly sees it."""
CARRIED_TOGETHER = 0.8
"""Share of the captured talker's lips together, outside p b m, that other voices inherit."""
CAPTURED_EARLY_ROWS = 1  # that face's lips meet so much before the aligner's p b m begin
ROUNDING = {"funnel": 0.55, "towards": 0.4}  # shares of a pucker, beside the purse
PAUSE_S = 0.16  # silence this long shuts the mouth
EASE_ROWS = 7  # of shutting and opening it

COLUMN = {gesture: column for column, gesture in enumerate(GESTURES)}


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
    return smooth(active.astype(np.float32), EASE_ROWS)


def compose(
    rules: NDArray[np.float32],
    mouth: NDArray[np.float32],
    active: NDArray[np.float32],
    stress: NDArray[np.float32],
    *,
    is_captured: bool,
) -> NDArray[np.float32]:
    """Join rule curves [time, gestures] with a mouth [time, curves], [time, gestures].

    A captured mouth is taken as it was seen, between words as well, and closed further where the
    rules close it; one that was carried over shuts in pauses, closes fully where the rules close
    it, and shares its purse with them.
    """
    gestures = rules * active[:, None]
    shut = np.ones_like(active) if is_captured else active
    jaw, pucker, together = (mouth[:, CURVES.index(name)] * shut for name in CURVES)
    closed = gestures[:, COLUMN["lips_together"]]
    gestures[:, COLUMN["jaw"]] = jaw * (1.0 - JAW_YIELDS * closed)
    if is_captured:
        early = np.append(closed[CAPTURED_EARLY_ROWS:], closed[-CAPTURED_EARLY_ROWS:])
        closed = np.minimum(early * (CAPTURED_CLOSES + together), 1.0)
    else:
        together = CARRIED_TOGETHER * together
    gestures[:, COLUMN["lips_together"]] = np.maximum(closed, together)
    own = 1.0 if is_captured else 0.5
    gestures[:, COLUMN["purse"]] = (1.0 - own) * gestures[:, COLUMN["purse"]] + own * pucker
    for name, share in ROUNDING.items():
        gestures[:, COLUMN[name]] = 0.5 * gestures[:, COLUMN[name]] + 0.5 * share * pucker
    for name in ("stretch", "lower_depress", "upper_raise"):
        gestures[:, COLUMN[name]] *= 0.7 + 0.45 * stress
    return gestures


QUIET = 0.12  # relative loudness under which a recording without phones is silent
STRESS_ROWS = 9
SEED = 7
CHECKED = 60  # clips on which the listener is checked

OBSERVED_GESTURES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("grid_s1", "kathleen", "kokoro"), tuple(GESTURES)),
    "facegood": tuple(SLIDERS),
    **dict.fromkeys(("kokoro_more", "ravdess"), tuple(GESTURES)),
}
"""The gestures that each source tells."""


class TargetBuilder:
    """Turns clips into targets; a listener and the articulation are learned or recalled first."""

    def __init__(
        self, folders: Mapping[str, Path], phones: Mapping[str, Sequence[Segment]]
    ) -> None:
        self.phones = phones
        self.mouths = CapturedMouths(folders)
        self.listener = PhoneRecognizer()
        self.articulation = captured_faces.Articulation()
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
            self.articulation = captured_faces.learn(lessons["train"], SEED)
            r = captured_faces.correlation(self.articulation, lessons["dev"])
            told = {name: round(value, 3) for name, value in zip(CURVES, r, strict=True)}
            print(f"articulation, r on held-out clips: {told}")
            _keep(path, self.articulation.state_dict())
        self.articulation.load_state_dict(load_file(path))
        self.articulation.eval()

    def lesson(self, clip: Clip) -> captured_faces.CapturedClip:
        """Return what the articulation network learns from one captured clip."""
        samples = clip.samples()
        loudness = relative_loudness(samples)
        inputs = captured_faces.inputs_of(self.listener.hear(samples), loudness)
        stem = clip.name.split("/")[1]
        if clip.source == "facegood":
            captured = self.mouths.facegood(stem, len(loudness))
        else:
            phones = phone_indices(self.phones[clip.name], len(loudness))
            captured = self.mouths.grid(stem, phones)
        return captured_faces.CapturedClip(clip.source, inputs, captured)

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
            mouth = self.articulation.carry(captured_faces.inputs_of(heard, loudness))
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
    content = save({name: tensor.contiguous() for name, tensor in state.items()})
    write_file(path, content, parents=True)

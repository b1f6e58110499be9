"""The targets that the generator learns, clip by clip: rules joined with captured curves.

Captured curves give the mouth where a face was captured; the articulation network
(`captured_faces.py`) predicts it for every other voice; rules give the rest. What a source does
not observe has no weight in the loss. Gestures (`rules.GESTURES`) are in board units, at 50 Hz;
row i of a clip is the face of its time i/50 s.

The inputs of the articulation network are phone probabilities of the speech encoder
(`PhoneRecognizer`). They transfer better to other voices than aligned phones, because they show how
clearly and exactly when a phone was spoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file, save

from cstalk_bridge.models.encoder.network import encode
from cstalk_bridge.models.encoder.weights import load_encoder
from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.features import RIGHT_HOPS
from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.loading import ENCODER_PATH
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import HOP_SAMPLES, ROW_RATE_HZ
from cstalk_bridge.models.training import captured_faces
from cstalk_bridge.models.training.alignment import (
    phone_indices,
    relative_loudness,
    smooth,
    within_sound,
)
from cstalk_bridge.models.training.captured_faces import (
    CURVES,
    GAP_MM,
    SLIDERS,
    ActionUnits,
    CapturedMouths,
    gap_mm,
    jaw_share,
    opened,
    stretch_of,
)
from cstalk_bridge.models.training.rules import GESTURES, contrast_of, limit_of, rule_curves
from cstalk_bridge.models.training.sources import clips_of
from cstalk_bridge.models.training.strangers import Strangers, recognised_segments, touching

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.models.training.alignment import Segment
    from cstalk_bridge.models.training.sources import Clip


MOST_FUTURE = len(RIGHT_HOPS) - 1
"""The longest delay, at which the encoder uses the most future: nothing here is live."""


class PhoneRecognizer:
    """The encoder and its heads at the longest delay; WeightsError where the file has no heads."""

    def __init__(self, path: Path = ENCODER_PATH) -> None:
        self._encoder, heads, description = load_encoder(path)
        if heads is None or description.heads[: len(PHONES)] != PHONES:
            raise WeightsError(
                f"{path}: its heads do not predict these phones; name another encoder"
            )
        self._heads = heads

    @torch.inference_mode()
    def recognize(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each phone, [rows, phones], of mono 16 kHz `samples`.

        One row a whole hop; row i is at i * 20 ms.
        """
        rows = len(samples) // HOP_SAMPLES
        features = torch.from_numpy(encode(self._encoder, samples, MOST_FUTURE)[:rows])
        logits = self._heads(features)[:, : len(PHONES)]
        return np.asarray(logits.softmax(-1).numpy(), dtype=np.float32)


CAPTURED_SHARE, CARRIED_SHARE = 0.9, 1.0
"""Share of the captured or carried gap in what opens a mouth; the rules have the rest."""
STRESS_OPENS = (0.9, 0.15)
"""Where nobody was captured: what opens without stress, and how much more with all of it."""
CAPTURED_EARLY_ROWS = 1  # that face's lips meet so much before the aligner's p b m begin
LEAST_OPEN, VISIBLE_OPEN_MM = 0.65, 2.2  # of what the rules open, up to a gap that is visible
SPREAD = 0.2  # stretch of the rules from which on no captured pucker rounds a mouth
CAPTURED_CONTRAST = 0.4  # power of the contrast of phones that a captured mouth gets
JAW_ROWS = 5  # over which a jaw is smoothed: it is heavier than lips, which bring the rest
TEETH_MEET = 0.045  # a limit below this, of sibilants, also holds a row before and after
WIDTH_GAIN = 1.5  # of a captured width, which trackers flatten
PAUSE_S = 0.16  # silence this long shuts the mouth
EASE_ROWS = 7  # of shutting and opening it

COLUMN = {gesture: column for column, gesture in enumerate(GESTURES)}


@dataclass(frozen=True, slots=True)
class Targets:
    """One clip's gestures [time, gestures], phone indices [time] and stress [time] in 0..1.

    `channels` [time, channels] are tracked board values instead (`captured_faces.ActionUnits`).
    `first` is the row of the recording at which they begin.
    """

    gestures: NDArray[np.float32]
    phones: NDArray[np.int64]
    stress: NDArray[np.float32]
    channels: NDArray[np.float32] | None = None
    first: int = 0


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
    limit: NDArray[np.float32],
    contrast: NDArray[np.float32],
    *,
    is_captured: bool,
) -> NDArray[np.float32]:
    """Join rule curves [time, gestures] with a mouth [time, curves], [time, gestures].

    `limit` [time] is how far the jaw may be open (`rules.limit_of`), `contrast` [time] how much
    wider than the captured talker lips open (`rules.contrast_of`). A captured mouth is taken as
    it was seen, between words as well, and closed further where the rules close it; one that was
    carried over shuts in pauses, and shares gap, width and purse with the rules. What parts lips is
    given as if nothing closed them: in `rules.face_targets` the closure wins.
    """
    gestures = rules * active[:, None]
    shut = np.ones_like(active) if is_captured else active
    by_name = {name: gestures[:, column] for name, column in COLUMN.items()}
    seen = {name: mouth[:, CURVES.index(name)] * shut for name in CURVES}
    closed = by_name["lips_together"].copy()
    if is_captured:
        early = np.append(closed[CAPTURED_EARLY_ROWS:], closed[-CAPTURED_EARLY_ROWS:])
        closed = np.maximum(early, closed)
    ruled = gap_mm(by_name | {"lips_together": np.zeros_like(closed)})
    share = CAPTURED_SHARE if is_captured else CARRIED_SHARE
    least, more = (1.0, 0.0) if is_captured else STRESS_OPENS
    wider = contrast**CAPTURED_CONTRAST if is_captured else contrast
    gap = share * 10.0 * seen["gap"] * wider + (1.0 - share) * ruled
    # A captured mouth hardly opens in one vowel of twelve; viewers take that for a closure.
    gap = np.maximum(gap * (least + more * stress), np.minimum(LEAST_OPEN * ruled, VISIBLE_OPEN_MM))
    purse = by_name["purse"].copy()
    pucker = seen["pucker"] * (1.0 - np.minimum(by_name["stretch"] / SPREAD, 1.0))
    purse = np.maximum(purse, 0.5 * (purse + pucker))
    slow = jaw_path(jaw_share(by_name) * gap / GAP_MM["jaw"], limit)
    parted = opened(gap, slow, {"purse": purse, "funnel": by_name["funnel"]})
    for name, values in parted.items():
        gestures[:, COLUMN[name]] = values
    gestures[:, COLUMN["lips_together"]] = closed
    gestures[:, COLUMN["purse"]] = purse
    gestures[:, COLUMN["towards"]] = 0.5 * by_name["towards"] + 0.2 * pucker
    now = {name: gestures[:, column] for name, column in COLUMN.items()}
    solved = stretch_of(WIDTH_GAIN * 10.0 * seen["width"], now)
    gestures[:, COLUMN["stretch"]] = 0.6 * by_name["stretch"] + 0.4 * solved * shut
    return gestures


def jaw_path(wanted: NDArray[np.float32], limit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a slow jaw [time]: what the gap wants of it, within the limit of the phones [time].

    Teeth that have to meet do so a row earlier and leave a row later, or smoothing would part them.
    """
    around = np.pad(limit, 1, mode="edge")
    held = np.minimum(limit, np.minimum(around[:-2], around[2:]))
    limit = np.where(held < TEETH_MEET, held, limit)
    return smooth(np.minimum(wanted, limit), JAW_ROWS)


QUIET = 0.12  # relative loudness under which a recording without phones is silent
STRESS_ROWS = 9
SEED = 7

OBSERVED_GESTURES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("grid_s1", "kathleen", "kokoro"), tuple(GESTURES)),
    "facegood": tuple(SLIDERS),
    **dict.fromkeys(("kokoro_more", "ravdess"), tuple(GESTURES)),
    "strangers": tuple(GESTURES),
}
"""The gestures that each source observes."""


class TargetBuilder:
    """Turns clips into targets; the articulation network is trained or loaded first."""

    def __init__(
        self, folders: Mapping[str, Path], phones: Mapping[str, Sequence[Segment]]
    ) -> None:
        self.phones = phones
        self.mouths = CapturedMouths(folders)
        self.recognizer = PhoneRecognizer()
        self.articulation = captured_faces.Articulation()
        self.strangers_folder = folders.get("strangers")
        self.action_units = None
        if "ravdess" in folders:
            tracks = np.load(folders["ravdess"] / "action_units_frames.npz")
            self.action_units = ActionUnits(tracks)

    def train_articulation(self, clips: Sequence[Clip], path: Path) -> None:
        """Load the articulation network from `path`, or train it on captured clips."""
        if not path.exists():
            clips_by_part = {
                part: [self.training_clip(c) for c in clips if c.part == part]
                for part in ("train", "dev")
            }
            self.articulation = captured_faces.train_articulation(clips_by_part["train"], SEED)
            r = captured_faces.correlation(self.articulation, clips_by_part["dev"])
            scores = {name: round(value, 3) for name, value in zip(CURVES, r, strict=True)}
            print(f"articulation, r on held-out clips: {scores}")
            _keep(path, self.articulation.state_dict())
        self.articulation.load_state_dict(load_file(path))
        self.articulation.eval()

    def training_clip(self, clip: Clip) -> captured_faces.CapturedClip:
        """Return one captured clip as the articulation network trains on it."""
        samples = clip.samples()
        loudness = relative_loudness(samples)
        inputs = captured_faces.inputs_of(self.recognizer.recognize(samples), loudness)
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
        if clip.source == "strangers":
            return self._stranger(clip)
        segments = within_sound(clip.source, self.phones[clip.name], samples)
        stem, rows = clip.name.split("/")[1], len(loudness)
        phones, rules = phone_indices(segments, rows), rule_curves(segments, rows)
        is_captured = clip.source == "grid_s1"
        if is_captured:
            mouth = self.mouths.grid(stem, phones)
        else:
            probabilities = self.recognizer.recognize(samples)
            mouth = self.articulation.predict_average(
                captured_faces.inputs_of(probabilities, loudness)
            )
        stress = smooth(loudness, STRESS_ROWS)
        held = (limit_of("jaw", segments, rows), contrast_of(segments, rows))
        active = speaking(phones)
        gestures = compose(rules, mouth, active, stress, *held, is_captured=is_captured)
        channels = None
        if clip.source == "ravdess" and self.action_units is not None:
            channels = self.action_units.channels(stem, rows)
        return Targets(gestures, phones, stress, channels)

    @cached_property
    def strangers(self) -> Strangers:
        """The news readers, whose sound has to be heard wholly before any of them is in step."""
        expected = {
            stem: self.articulation.predict_average(captured_faces.inputs_of(*heard))
            for stem, heard in self._heard.items()
        }
        return Strangers(self._strangers_folder(), expected)

    @cached_property
    def _heard(self) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Phone probabilities [rows, phones] and loudness [rows] of each of their clips."""
        sounds = {c.path.stem: c.samples() for c in clips_of("strangers", self._strangers_folder())}
        return {
            stem: (self.recognizer.recognize(sound), relative_loudness(sound))
            for stem, sound in sounds.items()
        }

    def _strangers_folder(self) -> Path:
        if self.strangers_folder is None:
            raise ValueError("the builder was made without the folder of the strangers")
        return self.strangers_folder

    def _stranger(self, clip: Clip) -> Targets:
        """Return the targets of a news reader where the lips were tracked; no row where too few.

        A closure that the encoder hears in lips seen apart is none.
        """
        stem = clip.path.stem
        probabilities, loudness = self._heard[stem]
        segments, rows = recognised_segments(probabilities), len(loudness)
        phones, rules = phone_indices(segments, rows), rule_curves(segments, rows)
        known = self.strangers.rows_of(stem, rows)
        stress = smooth(loudness, STRESS_ROWS)
        if known.start == known.stop:
            return Targets(rules[:0], phones[:0], stress[:0])
        mouth = self.strangers.mouth(stem, rows)
        rules[:, COLUMN["lips_together"]] *= touching(mouth[:, CURVES.index("gap")])
        limit = limit_of("jaw", segments, rows)
        still = np.ones(rows, np.float32)
        gestures = compose(rules, mouth, still, stress, limit, still, is_captured=True)
        return Targets(gestures[known], phones[known], stress[known], first=known.start)

    def _mandarin(self, clip: Clip, loudness: NDArray[np.float32]) -> Targets:
        """Return the captured gestures of a FACEGOOD clip; its phones are unknown (all silence)."""
        rows = len(loudness)
        gestures = np.zeros((rows, len(GESTURES)), dtype=np.float32)
        captured = self.mouths.facegood_gestures(clip.name.split("/")[1], rows)
        for gesture, curve in captured.items():
            gestures[:, COLUMN[gesture]] = curve
        spoken = smooth((loudness > QUIET).astype(np.float32), STRESS_ROWS)
        gestures *= np.clip(2.0 * spoken, 0.0, 1.0)[:, None]
        return Targets(gestures, np.zeros(rows, np.int64), smooth(loudness, STRESS_ROWS))


def _keep(path: Path, state: Mapping[str, Any]) -> None:
    """Write the weights to a safetensors file, whole or not at all."""
    content = save({name: tensor.contiguous() for name, tensor in state.items()})
    write_file(path, content, parents=True)

"""A face by rule: the gestures of phones, the postures of emotions, and the envelopes of both.

`articulation_rules.csv` gives each phone's gestures as board values (0..1 of the sliders named in
`GESTURES`), from articulatory phonetics: closure for p b m, lower lip to upper teeth for f v,
rounding for w uw ao sh r, spreading for iy s, the tongue's place for the rest. Neighbours are
blended by dominance (Cohen and Massaro, 1993): a gesture extends beyond its phone as far as its
muscles need, and strong gestures dominate.

`emotion_postures.csv` gives the postures, FACS knowledge (Ekman and Friesen's action units of each
emotion) as board values: happiness 6+12+25, sadness 1+4+15+17, anger 4+5+7+23, surprise
1+2+5+25+26, fear 1+2+4+5+20+25, disgust 9+10+15, at the middle of the scale of intensity.
`left_more` is by how much the left side shows more than the right, as faces do (Sackeim et al.,
Science 202, 1978). No recording of actors went into them.

Parts of a face do not move in step: brows follow phrases, lids and cheeks come and go sooner, the
nose soonest of all. What brows do on one stressed syllable accents a word and is no part of an
emotion. The times of these attack-release envelopes are round figures, fitted to no recordings.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from cstalk_bridge.models.board import AUDIO_DRIVEN, REGION_OF
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training.alignment import fill_gaps, frame_times_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.training.alignment import Segment


@dataclass(frozen=True, slots=True)
class Gesture:
    """One gesture: the channels it moves (sign included) and how it spreads in time.

    `reach_s` is the time over which its dominance falls to 1/e outside of its phone, `strength`
    its dominance in phones that use it (1 in others), `lead_s`
    how much earlier than its phone it begins, `early_s` how much earlier it begins and ends.
    """

    channels: tuple[str, ...]
    reach_s: float
    strength: float
    lead_s: float = 0.0
    early_s: float = 0.0


def _sides(*names: str) -> tuple[str, ...]:
    return tuple(f"CTRL_{side}_{name}" for name in names for side in "LR")


GESTURES: dict[str, Gesture] = {
    "jaw": Gesture(("CTRL_C_jaw.ty",), 0.035, 1.5, early_s=0.03),
    "lips_together": Gesture(
        _sides("mouth_lipsTogetherU.ty", "mouth_lipsTogetherD.ty"), 0.007, 12, 0.008
    ),
    "lip_bite": Gesture(_sides("mouth_lipBiteD.ty"), 0.014, 8, 0.012),
    "purse": Gesture(_sides("mouth_purseU.ty", "mouth_purseD.ty"), 0.055, 10, 0.03, 0.015),
    "funnel": Gesture(_sides("mouth_funnelU.ty", "mouth_funnelD.ty"), 0.045, 6, 0.02, 0.015),
    "towards": Gesture(_sides("mouth_towardsU.ty", "mouth_towardsD.ty"), 0.06, 6, 0.02, 0.015),
    "stretch": Gesture(_sides("mouth_stretch.ty"), 0.06, 1.5, early_s=0.02),
    "lower_depress": Gesture(_sides("mouth_lowerLipDepress.ty"), 0.05, 1.2, early_s=0.02),
    "upper_raise": Gesture(_sides("mouth_upperLipRaise.ty"), 0.05, 1.2, early_s=0.02),
    "roll": Gesture(_sides("mouth_lipsRollU.ty", "mouth_lipsRollD.ty"), 0.012, 6, 0.01),
    "tongue_up": Gesture(("CTRL_C_tongue_move.ty",), 0.045, 1.2),
    "tongue_tip": Gesture(("CTRL_C_tongue_tipMove.ty",), 0.035, 2),
    "tongue_out": Gesture(("CTRL_C_tongue_inOut.ty",), 0.04, 2),
    "tongue_wide": Gesture(("CTRL_C_tongue_wideNarrow.ty",), 0.06, 1),
}
"""The table's columns. `tongue_out` is negative outwards, as the board's slider is."""


def _read_targets() -> NDArray[np.float32]:
    text = (
        resources.files("cstalk_bridge.models.training")
        .joinpath("articulation_rules.csv")
        .read_text("utf-8")
    )
    rows = {row["phone"]: row for row in csv.DictReader(text.splitlines())}
    return np.array([[float(rows[p][g]) for g in GESTURES] for p in PHONES], dtype=np.float32)


PHONE_GESTURES = _read_targets()
"""Gesture values by phone, [phones, gestures]."""


LIMITS: dict[str, dict[str, float]] = {
    "jaw": {
        **dict.fromkeys(("S", "Z", "SH", "ZH"), 0.025),
        **dict.fromkeys(("P", "B", "M", "F", "V"), 0.05),
        **dict.fromkeys(("T", "D", "N"), 0.065),
        **dict.fromkeys(("W", "UW", "Y", "IY"), 0.09),
        **dict.fromkeys(("L", "R", "TH", "DH"), 0.11),
    },
    "stretch": dict.fromkeys(("W", "UW", "SH", "ZH"), 0.0),
    "purse": dict.fromkeys(("IY", "EH", "AE", "S", "Z"), 0.1),
    "funnel": dict.fromkeys(("IY", "EH", "AE", "S", "Z"), 0.06),
}
"""Limit of a gesture in the middle of a phone, whatever its neighbours demand: 1 mm between the
incisors of sibilants, 2 mm where the tongue is behind the teeth; no rounding where lips spread."""
LIMIT_EDGE_S = 0.012
"""At either end of a phone, where its limit does not hold yet."""
LIMIT_SPEED, JAW_SPEED = 6.5, 4.2
"""Board units a second by which a limit is left behind; a jaw is slower than lips: 0.15 m/s."""
OPEN_VOWELS = {"AA": 3.5, "AE": 3.5, "AO": 3.0, "AH": 2.0, "EH": 2.5}
"""Strength of the jaw in vowels that need it, as in `Gesture`."""
CONTRAST: dict[str, float] = {
    **dict.fromkeys(("AA", "AE", "AO"), 1.45),
    **dict.fromkeys(("EH", "AH"), 1.15),
    **dict.fromkeys(("ER", "HH", "K", "G", "NG", "L"), 0.9),
    **dict.fromkeys(("IH", "D", "T", "N", "DH", "TH", "R"), 0.75),
    **dict.fromkeys(("IY", "S", "Z", "Y", "SH", "ZH"), 0.65),
    **dict.fromkeys(("UH", "UW"), 0.85),
    "W": 0.45,
}
"""How much wider than the captured talker, whose vowels are much alike, a clear speaker opens."""
CONTRAST_REACH_S, CONTRAST_EARLY_S = 0.025, 0.02
TINY = 1e-9
ROUNDING_NARROWS = 1.6
"""A stretch goes where rounding is, by so much of it."""


def limit_of(gesture: str, segments: Sequence[Segment], frames: int) -> NDArray[np.float32]:
    """Return how far a gesture may go at each row of a phone sequence, [time], 0..1."""
    times_s, limits = frame_times_s(frames), LIMITS[gesture]
    speed = JAW_SPEED if gesture == "jaw" else LIMIT_SPEED
    limit = np.ones(frames, dtype=np.float32)
    for start_s, end_s, phone in segments:
        if phone in limits:
            edge_s = min(LIMIT_EDGE_S, (end_s - start_s) / 4)
            away_s = np.maximum(start_s + edge_s - times_s, times_s - end_s + edge_s)
            limit = np.minimum(limit, limits[phone] + speed * np.maximum(away_s, 0.0))
    low = np.pad(limit, 1, mode="edge")
    eased = (low[:-2] + 2 * low[1:-1] + low[2:]) / 4
    held = np.minimum(eased, limit + speed / ROW_RATE_HZ / 16)
    return np.asarray(held, dtype=np.float32)


def contrast_of(segments: Sequence[Segment], frames: int) -> NDArray[np.float32]:
    """Return by how much lips open wider than a captured talker's, at each row, [time]."""
    filled = fill_gaps(segments, frames / ROW_RATE_HZ)
    starts_s, ends_s = (np.array([segment[i] for segment in filled])[:, None] for i in (0, 1))
    wanted = np.array([CONTRAST.get(phone, 1.0) for _, _, phone in filled])[:, None]
    at_s = frame_times_s(frames)[None] + CONTRAST_EARLY_S
    outside_s = np.maximum(np.maximum(starts_s - at_s, at_s - ends_s), 0.0)
    dominance = np.exp(-outside_s / CONTRAST_REACH_S) + TINY
    return np.asarray((dominance * wanted).sum(0) / dominance.sum(0), dtype=np.float32)


def rule_curves(segments: Sequence[Segment], frames: int) -> NDArray[np.float32]:
    """Return the gestures of a phone sequence, [time, gestures]."""
    filled = fill_gaps(segments, frames / ROW_RATE_HZ)
    starts_s, ends_s = (np.array([segment[i] for segment in filled])[:, None] for i in (0, 1))
    targets = PHONE_GESTURES[[PHONES.index(phone) for _, _, phone in filled]]
    times_s = frame_times_s(frames)[None]
    curves = np.empty((frames, len(GESTURES)), dtype=np.float32)
    for column, (name, gesture) in enumerate(GESTURES.items()):
        target = targets[:, column, None]
        is_active = np.abs(target) > 0
        lead_s = np.where(is_active, gesture.lead_s, 0.0)
        at_s = times_s + gesture.early_s
        outside_s = np.maximum(np.maximum(starts_s - lead_s - at_s, at_s - ends_s), 0.0)
        strength = np.where(is_active, gesture.strength, 1.0)
        if name == "jaw":
            own = [OPEN_VOWELS.get(phone, gesture.strength) for _, _, phone in filled]
            strength = np.array(own)[:, None]
        dominance = strength * np.exp(-outside_s / gesture.reach_s)
        curves[:, column] = (dominance * target).sum(0) / dominance.sum(0)
    columns = {name: curves[:, column] for column, name in enumerate(GESTURES)}
    for name in LIMITS:
        columns[name][:] = np.minimum(columns[name], limit_of(name, filled, frames))
    rounded = ROUNDING_NARROWS * np.maximum(columns["purse"], columns["funnel"])
    columns["stretch"][:] *= 1.0 - np.minimum(rounded, 1.0)
    return curves


SPOKEN = 0.45
"""Stress beyond which there is speech."""
BREATH_S = 0.1
"""Silence longer than this ends a phrase."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Attack-release envelope of a part: up by 1 - 1/e in `attack_s`, down to 1/e in `release_s`.

    At full stress the part shows by `stress_lifts` more than the envelope.
    """

    attack_s: float
    release_s: float
    stress_lifts: float


ENVELOPES = {
    "brow": Envelope(attack_s=0.5, release_s=2.5, stress_lifts=0.0),
    "eyelid_cheek": Envelope(attack_s=0.2, release_s=1.2, stress_lifts=0.15),
    "nose": Envelope(attack_s=0.15, release_s=0.6, stress_lifts=0.15),
    "mouth": Envelope(attack_s=0.02, release_s=1.6, stress_lifts=0.0),
}
"""By region of the face; "mouth" is the envelope of every other region."""

_ORDER = {part: place for place, part in enumerate(ENVELOPES)}

ENVELOPE_OF = torch.tensor([_ORDER.get(REGION_OF[name], _ORDER["mouth"]) for name in AUDIO_DRIVEN])
"""Each channel's place in `ENVELOPES`, [channels]."""

STRESS_LIFTS = torch.tensor([envelope.stress_lifts for envelope in ENVELOPES.values()])[ENVELOPE_OF]
"""Of each channel, [channels]."""


def envelopes_of(spoken: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.float32]:
    """Return the value of each envelope at `rows` [time], 0..1, [time, envelopes].

    `spoken` are the times, rising and in rows too, of speech.
    """
    if not len(spoken):
        return np.zeros((len(rows), len(ENVELOPES)), dtype=np.float32)
    breaks = np.flatnonzero(np.diff(spoken) > BREATH_S * ROW_RATE_HZ)
    starts = spoken[np.concatenate(([0], breaks + 1))] / ROW_RATE_HZ
    ends = spoken[np.concatenate((breaks, [len(spoken) - 1]))] / ROW_RATE_HZ
    times_s = np.asarray(rows) / ROW_RATE_HZ
    trajectories = [_envelope(envelope, starts, ends, times_s) for envelope in ENVELOPES.values()]
    return np.stack(trajectories, 1).astype(np.float32)


def _envelope(
    envelope: Envelope, starts: NDArray[Any], ends: NDArray[Any], times_s: NDArray[Any]
) -> NDArray[np.float64]:
    """Return one envelope at `times_s`; phrases last from `starts` to `ends`, all in seconds."""
    missing = np.ones(len(starts))  # of the whole, when a phrase begins
    left = np.zeros(len(starts))  # when it ends
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if i:
            missing[i] = 1.0 - left[i - 1] * np.exp((ends[i - 1] - start) / envelope.release_s)
        left[i] = 1.0 - missing[i] * np.exp((start - end) / envelope.attack_s)
    last = np.searchsorted(starts, times_s, side="right") - 1
    phrase = np.maximum(last, 0)
    risen = 1.0 - missing[phrase] * np.exp(
        -np.maximum(times_s - starts[phrase], 0) / envelope.attack_s
    )
    faded = left[phrase] * np.exp(-np.maximum(times_s - ends[phrase], 0) / envelope.release_s)
    return np.where(last < 0, 0.0, np.where(times_s <= ends[phrase], risen, faded))


SILENT_SHARE = 0.7
"""Share of a posture that shows in silence; speech brings the whole of it."""
STRESS_SPEAKS = (0.25, 0.65)
"""Stress at which the mouth begins to belong to speech, and at which it does wholly."""

POSITION = {name: index for index, name in enumerate(AUDIO_DRIVEN)}


def _read_postures() -> Tensor:
    text = (
        resources.files("cstalk_bridge.models.training")
        .joinpath("emotion_postures.csv")
        .read_text("utf-8")
    )
    postures = np.zeros((len(EMOTIONS), len(AUDIO_DRIVEN)), dtype=np.float32)
    for row in csv.DictReader(text.splitlines()):
        for emotion, name in enumerate(EMOTIONS):
            value, more = float(row[name]) if name in row else 0.0, float(row["left_more"]) / 2
            for side, share in (("L", 1 + more), ("R", 1 - more), ("C", 1)):
                position = POSITION.get(f"CTRL_{side}_{row['slider']}")
                if position is not None:
                    postures[emotion, position] = share * value
    return torch.from_numpy(postures)


def _gesture_channels() -> Tensor:
    spread = torch.zeros(len(GESTURES), len(AUDIO_DRIVEN))
    for row, gesture in enumerate(GESTURES.values()):
        for channel in gesture.channels:
            spread[row, POSITION[channel]] = 1.0
    return spread


POSTURES = _read_postures()
"""Board values of each emotion at intensity 1, [emotions, channels]."""

GESTURE_CHANNELS = _gesture_channels()
"""1 where a gesture moves a channel, [gestures, channels]."""

IS_NOSE = torch.tensor([name.endswith("nose.ty") for name in AUDIO_DRIVEN])
IS_MOUTH = torch.tensor([("_mouth" in name or "_jaw" in name) for name in AUDIO_DRIVEN])
CLOSERS = tuple(GESTURES).index("lips_together")
ROUNDERS = tuple(GESTURES).index("purse")
JAW_OPENS = torch.tensor([name == "CTRL_C_jaw.ty" for name in AUDIO_DRIVEN])
LIPS_PART = torch.tensor(
    [any(part in name for part in ("LipRaise", "LipDepress", "funnel")) for name in AUDIO_DRIVEN]
)
PARTING = LIPS_PART | JAW_OPENS
NOSE_PARTS = 0.95
"""Share of a wrinkled nose that goes where lips close: it lifts the upper lip."""
TEETH_APART = 0.1
"""Jaw of speech from which on an emotion may open it by all of its own."""
PARTS_IN_SILENCE = ("surprised",)
"""Emotions whose lips part without speech; those of all others are closed then."""
WIDENING = torch.tensor(
    [("orner" in name or "stretch" in name or "dimple" in name) for name in AUDIO_DRIVEN]
)


def _held() -> Tensor:
    held = POSTURES.clone()
    silent = torch.tensor([name not in PARTS_IN_SILENCE for name in EMOTIONS])
    held[silent[:, None] & PARTING] = 0.0
    return held


HELD = _held()
"""`POSTURES` as far as they show without speech, [emotions, channels]."""


def face_targets(gestures: Tensor, stress: Tensor, envelopes: Tensor, conditions: Tensor) -> Tensor:
    """Return channel targets [batch, time, channels] of speech under an emotion.

    `gestures` is [batch, time, gestures], `stress` [batch, time] and `envelopes` (`envelopes_of`)
    [batch, time, envelopes] are in 0..1, `conditions` [batch, conditions] as in
    `cstalk_bridge.models.emotions.CONDITIONS`. Neither neighbouring phones nor the emotion part
    lips that a bilabial closes, nor teeth that a sibilant brings together; the emotion widens a
    rounded mouth little, and parts lips in speech only, but for surprise.
    """
    emotion, guard = conditions[:, :-1], conditions[:, -1, None, None]
    shown = SILENT_SHARE + (1.0 - SILENT_SHARE) * envelopes[..., ENVELOPE_OF]
    posture = (emotion @ HELD)[:, None] * shown
    posture = posture + (emotion @ (POSTURES - HELD))[:, None] * envelopes[..., ENVELOPE_OF]
    low, high = STRESS_SPEAKS
    speech = ((stress[..., None] - low) / (high - low)).clamp(0.0, 1.0)
    closed = gestures[..., CLOSERS, None]
    rounded = gestures[..., ROUNDERS, None]
    mouth = posture * (1.0 - guard * speech)
    mouth = torch.where(PARTING, mouth * (1.0 - closed), mouth)
    jaw = gestures[..., list(GESTURES).index("jaw"), None]
    shut = speech * (1.0 - (jaw / TEETH_APART).clamp(max=1.0))
    mouth = torch.where(JAW_OPENS, mouth * (1.0 - shut), mouth)
    mouth = torch.where(WIDENING, mouth * (1.0 - 0.7 * rounded), mouth)
    upper = posture * (1.0 + STRESS_LIFTS * stress[..., None])
    upper = torch.where(IS_NOSE, upper * (1.0 - NOSE_PARTS * closed), upper)
    spoken = gestures @ GESTURE_CHANNELS
    spoken = torch.where(LIPS_PART, spoken * (1.0 - closed), spoken)
    return spoken + torch.where(IS_MOUTH, mouth, upper)

"""Captured faces in board values, and the articulation network that learns from them.

The articulation network maps phones to mouth movements, for every voice.

A tracker measures how far lips are apart, not what parts them. Here the jaw opens as far as the
phone lets it, and the lips' own muscles bring the rest: so teeth can meet in an s while lips are
apart. The millimetres of a slider at 1 are those of ICT-FaceKit's neutral head (MIT) under Epic's
ARKit mapping, measured by `cstalk_bridge.models.metrics.geometry` within the range of speech, where
they are linear.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNELS
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training.alignment import smooth
from cstalk_bridge.models.training.rules import GESTURES, PHONE_GESTURES
from cstalk_bridge.models.training.sources import (
    FACEGOOD_FPS,
    FACEGOOD_LATE_S,
    GRID_CURVES,
    GRID_FPS,
    GRID_LATE_S,
    RAVDESS_FPS,
    face_curves,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


GAP_MM: Mapping[str, float] = {
    "jaw": 32.6,
    "upper_raise": 7.0,
    "lower_depress": 6.7,
    "funnel": 12.8,
}
"""How far a gesture at 1 parts the lips in the middle of the mouth."""
PURSE_CLOSES_MM = 1.1
"""How far a purse at 1 brings parted lips together."""
PURSE_MASKS_FUNNEL = 0.33
"""How much of a funnel a purse at 1 takes away under the ARKit mapping (`rigmaps/arkit.yaml`)."""
TEETH_MM = 34.7
"""How far the jaw at 1 parts the incisors."""
WIDTH_MM: Mapping[str, float] = {"jaw": -4.7, "stretch": 14.0, "purse": -9.8, "funnel": -6.4}
"""How far a gesture at 1 brings the corners of the mouth apart."""
LOWER_SHARE = 0.56
"""Of what lips part by their own muscles, the lower lip's."""
MOST_OWN = 0.8
"""Lip raisers and depressors at most: more is a snarl."""
PARTED_MM = 0.5
"""Gap from which on lips are apart, and a purse has to be made up for."""


def gap_mm(gestures: Mapping[str, Floats]) -> Floats:
    """Return the gap [time] that `gestures` [time] by name open, lips held together aside."""
    open_ = np.maximum(_parted_mm(gestures) - PURSE_CLOSES_MM * gestures["purse"], 0.0)
    return np.asarray(open_ * (1.0 - gestures["lips_together"]), dtype=np.float32)


def jaw_share(gestures: Mapping[str, Floats]) -> Floats:
    """Return the share [time] of the jaw in what `gestures` [time] by name open, 0..1."""
    open_ = _parted_mm(gestures)
    return np.asarray(GAP_MM["jaw"] * gestures["jaw"] / np.maximum(open_, 1e-3), np.float32)


def visible_funnel(gestures: Mapping[str, Floats]) -> Floats:
    """Return the funnel [time] that is left of `gestures` [time] by name beside their purse."""
    masked = PURSE_MASKS_FUNNEL * gestures["purse"]
    return np.asarray(np.maximum(gestures["funnel"] - masked, 0.0), np.float32)


def _parted_mm(gestures: Mapping[str, Floats]) -> Floats:
    seen = {**gestures, "funnel": visible_funnel(gestures)}
    return np.asarray(sum(mm * seen[name] for name, mm in GAP_MM.items()), dtype=np.float32)


def opened(gap: Floats, limit: Floats, rounding: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the gestures [time] by name that part lips by `gap` millimetres [time].

    The jaw brings what it can within its `limit` [time]; the funnel of `rounding` [time], purse
    and funnel by name, gives way where it would part lips further; raisers and depressors bring
    what is missing. Where lips are closed the purse needs nothing against it.
    """
    purse = rounding["purse"]
    parting = gap + PURSE_CLOSES_MM * purse * np.minimum(gap / PARTED_MM, 1.0)
    funnel = np.minimum(visible_funnel(rounding), parting / GAP_MM["funnel"])
    left = np.maximum(parting - GAP_MM["funnel"] * funnel, 0.0)
    jaw = np.minimum(left / GAP_MM["jaw"], limit)
    rest = np.maximum(left - GAP_MM["jaw"] * jaw, 0.0)
    own = {
        "upper_raise": (1.0 - LOWER_SHARE) * rest / GAP_MM["upper_raise"],
        "lower_depress": LOWER_SHARE * rest / GAP_MM["lower_depress"],
    }
    bounded = {name: np.minimum(value, MOST_OWN) for name, value in own.items()}
    masked = np.minimum(rounding["funnel"], PURSE_MASKS_FUNNEL * purse)
    made = {"jaw": jaw, "funnel": funnel + masked, **bounded}
    return {name: value.astype(np.float32) for name, value in made.items()}


def stretch_of(width_mm: Floats, gestures: Mapping[str, Floats]) -> Floats:
    """Return the stretch [time], 0..1, that makes the mouth `width_mm` [time] wider than at rest.

    What the other `gestures` [time] by name do to its width is taken into account.
    """
    seen = {**gestures, "funnel": visible_funnel(gestures)}
    others = sum(mm * seen[name] for name, mm in WIDTH_MM.items() if name != "stretch")
    return np.asarray(np.clip((width_mm - others) / WIDTH_MM["stretch"], 0.0, 1.0), np.float32)


FULL_INTENSITY = 5.0
ACTOR_REST_PERCENTILE = 25.0  # of an actor's neutral clips: that face at rest between its words
SMOOTHING_ROWS = 5  # the tracker jitters from frame to frame

PLAYED = {
    "01": "neutral",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}
"""Emotion by its number in the file name; 02, calm, is none of the generator's."""
INTENSITY_WEIGHTS = {"01": 0.6, "02": 1.0}
"""Weight of normal and of strong intensity, by its number in the file name."""


def _read_action_units() -> dict[str, NDArray[np.float32]]:
    text = (
        resources.files("cstalk_bridge.models.training")
        .joinpath("action_units.csv")
        .read_text("utf-8")
    )
    table: dict[str, NDArray[np.float32]] = {}
    for row in csv.DictReader(text.splitlines()):
        *sides, slider = row["slider"].split()
        gains = table.setdefault(row["unit"], np.zeros(len(AUDIO_DRIVEN), np.float32))
        for side in sides:
            gains[AUDIO_DRIVEN.index(f"CTRL_{side}_{slider}")] = float(row["at_five"])
    return table


ACTION_UNIT_GAINS = _read_action_units()
"""What each action unit at intensity 5 adds to the channels, [channels]."""

OBSERVED_CHANNELS: NDArray[np.bool_] = np.any(
    [gains != 0 for gains in ACTION_UNIT_GAINS.values()], axis=0
)
"""Which channels the action units determine, [channels]."""

_RANGES = {channel.name: (channel.minimum, channel.maximum) for channel in CHANNELS}
LOW, HIGH = (np.array([_RANGES[name][i] for name in AUDIO_DRIVEN], np.float32) for i in (0, 1))


def emotion_of(stem: str) -> dict[str, float] | None:
    """Return the emotion weights of a clip by its file name; None for calm."""
    _, _, emotion, intensity, *_ = stem.split("-")
    name = PLAYED.get(emotion)
    if name is None:
        return None
    return {name: 1.0 if name == "neutral" else INTENSITY_WEIGHTS[intensity]}


class ActionUnits:
    """The tracks of `action_units_frames.npz`: `names`, and per clip [frames, tracks] at 29.97 Hz.

    Each is taken above the actor's own rest, which OpenFace does not put at zero.
    """

    def __init__(self, archive: Mapping[str, Any]) -> None:
        self.clips = {name: archive[name] for name in archive if name != "names"}
        names = [str(name) for name in archive["names"]]
        self.columns = [names.index(f"{unit}_r") for unit in ACTION_UNIT_GAINS]
        self.rest = {stem[-2:]: self._rest_of(stem[-2:]) for stem in self.clips}

    def _rest_of(self, actor: str) -> NDArray[np.float32]:
        own = {stem: clip for stem, clip in self.clips.items() if stem[-2:] == actor}
        neutral = [clip for stem, clip in own.items() if stem.split("-")[2] == "01"]
        frames = np.concatenate(neutral or list(own.values())).astype(np.float32)
        return np.asarray(np.percentile(frames[:, self.columns], ACTOR_REST_PERCENTILE, axis=0))

    def channels(self, stem: str, rows: int) -> NDArray[np.float32] | None:
        """Return board values at each row's audio time, [rows, channels]; None where untracked."""
        if stem not in self.clips:
            return None
        units = face_curves(self.clips, stem, 0.0, RAVDESS_FPS, rows)[:, self.columns]
        units = np.maximum(units - self.rest[stem[-2:]], 0.0) / FULL_INTENSITY
        units = np.stack([smooth(unit, SMOOTHING_ROWS) for unit in units.T], 1)
        board = units @ np.stack(list(ACTION_UNIT_GAINS.values()))
        return np.asarray(np.clip(board, LOW, HIGH), dtype=np.float32)


CURVES = ("gap", "pucker", "width")
"""The curves: centimetres between the lips, board values of the purse sliders, and centimetres by
which the mouth is wider than at rest."""
LIMITS = ((0.0, 3.0), (0.0, 1.0), (-1.2, 1.2))
"""The least and greatest value of each curve."""

JAW_GAIN = 1.25  # the GRID tracker's jaw against the board's: viewers prefer clear articulation
PUCKER_GAIN = 2.0  # the same for its pucker, whose w and uw reach 0.2 and 0.4
TRACKED_LIPS = ("inner_gap_13_14", "outer_width_61_291")
EYES_APART_CM = 8.8
"""Between the outer corners of the eyes: the unit of tracked lips."""
REST_PERCENT = 5
"""Percentile of a tracked lip gap that counts as closed lips."""
FEWEST_SILENT_ROWS = ROW_RATE_HZ // 5

SLIDERS: dict[str, dict[str, float]] = {
    "jaw": {"mouth_stretch_c": 1.0},
    "purse": {"mouth_pucker_l": 1.0, "mouth_oh_c": 0.2, "mouth_oo_c": 0.7},
    "funnel": {"mouth_funnel_dl": 1.0, "mouth_oh_c": 0.45, "mouth_oo_c": 0.3},
    "upper_raise": {"mouth_upperLipRaise_l": 1.2},
    "lower_depress": {"mouth_lowerLipDepress_l": 1.0},
}
"""FACEGOOD's sliders as gestures (`rules.GESTURES`)."""

OBSERVED_CURVES: dict[str, tuple[bool, ...]] = {
    "grid_s1": (True, True, True),
    "facegood": (True, True, False),
}
"""Which of `CURVES` each source observes."""

MOUTH_FILES = {"grid_s1": GRID_CURVES, "facegood": "curves.npz"}
"""The archive of each source, in its folder."""

CAPTURED_SOURCES = tuple(OBSERVED_CURVES)
"""The sources, in the order in which the articulation network numbers them."""


class CapturedMouths:
    """The curves of every captured clip; FACEGOOD may be missing."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.archives: dict[str, Any] = {
            source: np.load(folders[source] / file)
            for source, file in MOUTH_FILES.items()
            if source in folders
        }

    def grid(self, stem: str, phones: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the curves of a GRID clip with `phones` [time], [time, curves]."""
        archive = self.archives["grid_s1"]
        names = list(archive["names"])
        every = face_curves(archive, stem, GRID_LATE_S, GRID_FPS, len(phones))
        pucker = every[:, names.index("mouthPucker")]
        seen = list(archive["lips_names"])
        lips = face_curves(archive, f"{stem}__lips", GRID_LATE_S, GRID_FPS, len(phones))
        gap, width = (EYES_APART_CM * lips[:, seen.index(name)] for name in TRACKED_LIPS)
        silent = phones == 0
        enough = silent.sum() > FEWEST_SILENT_ROWS
        rest = [float(np.median(c[silent]) if enough else c.min()) for c in (pucker, width)]
        curves = np.stack(
            (
                gap - np.percentile(gap, REST_PERCENT),
                PUCKER_GAIN * np.maximum(pucker - rest[0], 0.0),
                width - rest[1],
            ),
            1,
        )
        return np.asarray(np.clip(curves, *np.array(LIMITS).T), dtype=np.float32)

    def facegood(self, stem: str, rows: int) -> NDArray[np.float32]:
        """Return the curves of a FACEGOOD clip, [time, curves]; its width is 0."""
        gestures = self.facegood_gestures(stem, rows)
        parted = GAP_MM["jaw"] / 10 * gestures["jaw"] + GAP_MM["funnel"] / 10 * gestures["funnel"]
        curves = np.stack((parted, gestures["purse"], np.zeros(rows)), 1)
        return np.asarray(curves, dtype=np.float32)

    def facegood_gestures(self, stem: str, rows: int) -> dict[str, NDArray[np.float32]]:
        """Return the gestures of `SLIDERS` of a FACEGOOD clip, [time] each, 0..1."""
        archive = self.archives["facegood"]
        names = list(archive["names"])
        curves = face_curves(archive, stem, FACEGOOD_LATE_S, FACEGOOD_FPS, rows)
        return {
            gesture: np.clip(sum(w * curves[:, names.index(name)] for name, w in mix.items()), 0, 1)
            for gesture, mix in SLIDERS.items()
        }


WIDTH = 64
LAYERS = 4  # of 5 rows each: +-0.16 s of neighbours on both sides
STEPS = 2000
BATCH = 16
ROWS = 140
LEARNING_RATE = 2e-3
VELOCITY_WEIGHT = 2.0


@dataclass(frozen=True, slots=True)
class CapturedClip:
    """One captured clip of a source in `CAPTURED_SOURCES`.

    `inputs` are [time, inputs] (`inputs_of`), `captured` is [time, curves].
    """

    source: str
    inputs: Tensor
    captured: NDArray[np.float32]

    def piece(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return `ROWS` rows of inputs and of curves; after the clip's end its last row."""
        first = int(random.integers(max(1, len(self.captured) - ROWS + 1)))
        rows = torch.arange(first, first + ROWS).clamp(max=len(self.captured) - 1)
        return self.inputs[rows], torch.from_numpy(self.captured)[rows]


class Articulation(nn.Module):
    """Phones and loudness to the captured curves."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [len(PHONES) + len(GESTURES) + 1, *[WIDTH] * LAYERS]
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, 5, padding=2) for inputs, outputs in pairwise(sizes)
        )
        self.style = nn.Parameter(torch.zeros(len(CAPTURED_SOURCES), WIDTH))
        self.size = nn.Parameter(torch.zeros(len(CAPTURED_SOURCES), len(CURVES)))
        self.head = nn.Conv1d(WIDTH, len(CURVES), 1)

    def forward(self, inputs: Tensor, styles: Tensor) -> Tensor:
        """Return the curves [batch, time, curves] of inputs [batch, time, inputs].

        `styles` [batch, sources] is each source's share, 1 in all.
        """
        x = self.layers[0](inputs.transpose(1, 2)) + (styles @ self.style)[..., None]
        for layer in self.layers[1:]:
            x = layer(functional.gelu(x))
        y: Tensor = self.head(functional.gelu(x)).transpose(1, 2)
        return y * torch.exp(styles @ self.size)[:, None]

    @torch.inference_mode()
    def predict_average(self, inputs: Tensor) -> NDArray[np.float32]:
        """Return the curves [time, curves] of any voice, in the average style, within limits."""
        shares = torch.full((1, len(CAPTURED_SOURCES)), 1.0 / len(CAPTURED_SOURCES))
        curves = self(inputs[None], shares)[0] * torch.exp(self.size[0] - self.size.mean(0))
        least, greatest = torch.tensor(LIMITS).T
        return np.asarray(curves.clamp(least, greatest).numpy(), dtype=np.float32)

    @torch.inference_mode()
    def predict_captured(self, clip: CapturedClip) -> NDArray[np.float32]:
        """Return the curves [time, curves] of a clip, in its source's style."""
        shares = functional.one_hot(
            torch.tensor([CAPTURED_SOURCES.index(clip.source)]), len(CAPTURED_SOURCES)
        )
        curves: NDArray[np.float32] = self(clip.inputs[None], shares.float())[0].numpy()
        return curves


def inputs_of(phones: NDArray[np.float32], loudness: NDArray[np.float32]) -> Tensor:
    """Return the network's inputs of phone probabilities [time, phones] and loudness [time]."""
    return torch.from_numpy(np.concatenate((phones, phones @ PHONE_GESTURES, loudness[:, None]), 1))


def train_articulation(clips: Sequence[CapturedClip], seed: int) -> Articulation:
    """Train on captured clips, every source as often; prints the loss."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    own = [[clip for clip in clips if clip.source == source] for source in CAPTURED_SOURCES]
    present = [number for number, of_source in enumerate(own) if of_source]
    seen = torch.tensor([OBSERVED_CURVES[source] for source in CAPTURED_SOURCES]).float()
    network = Articulation()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    for step in range(STEPS):
        who = [present[place % len(present)] for place in range(BATCH)]
        pieces = [own[n][random.integers(len(own[n]))].piece(random) for n in who]
        inputs, target = (torch.stack(parts) for parts in zip(*pieces, strict=True))
        shares = functional.one_hot(torch.tensor(who), len(CAPTURED_SOURCES)).float()
        error = (network(inputs, shares) - target) * (shares @ seen)[:, None]
        loss = error.square().mean() + VELOCITY_WEIGHT * error.diff(dim=1).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 500 == 0 or step == STEPS - 1:
            print(f"articulation step {step}: loss {loss.item():.5f}", flush=True)
    return network.eval()


def correlation(network: Articulation, clips: Sequence[CapturedClip]) -> list[float]:
    """Return Pearson's r of each curve over all `clips`."""
    guess = np.concatenate([network.predict_captured(clip) for clip in clips])
    truth = np.concatenate([clip.captured for clip in clips])
    return [
        float(np.corrcoef(g, t)[0, 1]) if t.std() > 0 else float("nan")
        for g, t in zip(guess.T, truth.T, strict=True)
    ]

"""The one table of what is measured: names, units, and the bar that each has to reach.

A suite yields measurements of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.metrics.curves import agreement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.recordings import Recording
    from cstalk_bridge.models.metrics.curves import Agreement


@dataclass(frozen=True, slots=True)
class Bar:
    """What is asked from a look-ahead of `from_ms` on: at least or at most so much."""

    at_least: float | None = None
    at_most: float | None = None
    from_ms: int = 0

    def is_met(self, value: float) -> bool:
        """Say whether `value` reaches the bar; NaN does not."""
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return low and high and not math.isnan(value)

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g}-{self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_most is None else f"<= {self.at_most:g}"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the table. `digits` are those after the point."""

    label: str
    unit: str = ""
    bars: tuple[Bar, ...] = ()
    digits: int = 3

    def bar(self, lookahead_ms: int) -> Bar | None:
        """Return what is asked at a look-ahead; the shortest one's bar holds below it too."""
        known = [bar for bar in self.bars if bar.from_ms <= lookahead_ms]
        return known[-1] if known else None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was found: the measure's key, its value, over how many clips (phones, rows, hops)."""

    key: str
    value: float
    count: int


def _least(value: float) -> tuple[Bar, ...]:
    return (Bar(at_least=value),)


def _most(value: float) -> tuple[Bar, ...]:
    return (Bar(at_most=value),)


WITHIN = 0.25
"""How far a size may be from the real one."""

_JERK = (Bar(0.015, 0.04),)
_SHARE = "%"
_SQUARE = "board^2"
_PLAYED = (EMOTIONS[0], "calm", *EMOTIONS[1:])


def _people(key: str, gap_r: tuple[Bar, ...] = (), *, many: bool = False) -> dict[str, Measure]:
    """Return the rows of `suites.people` under `key`: r, lag, and size beside the real one."""
    close = (Bar(1 - WITHIN, 1 + WITHIN),)
    rows: dict[str, Measure] = {}
    for curve, unit, digits in (("gap", "mm", 1), ("width", "mm", 1), ("pucker", "score", 2)):
        rows |= {
            f"{key}.{curve}_r": Measure(f"{curve}: r", bars=gap_r if curve == "gap" else ()),
            f"{key}.{curve}_lag_ms": Measure(f"{curve}: lag", "ms", digits=0),
            f"{key}.{curve}_ratio": Measure(f"{curve}: size over the real one", "", close, 2),
            f"{key}.{curve}_size": Measure(f"{curve}: size", unit, digits=digits),
            f"{key}.{curve}_real_size": Measure(f"{curve}: real size", unit, digits=digits),
        }
        if many and curve == "gap":
            rows[f"{key}.gap_within"] = Measure("gap: people within 25 % of their size", "%", (), 0)
            rows[f"{key}.gap_size_r"] = Measure("gap: r of sizes over people", "", _least(0.4))
    return rows


def _articulation() -> dict[str, Measure]:
    """Return the rows of `suites.articulation`; those of the synthetic voices come last."""
    whose = {
        "kathleen": "Kathleen",
        "grid": "GRID",
        "ravdess": "RAVDESS 17-20",
        "kokoro": "Kokoro voices",
        "real": "the tracked GRID talker",
    }
    rows = {}
    for key, who in whose.items():
        asked = key != "real"
        shares = {
            "closed": ("p b m closed", _least(93)),
            "false": ("false closures in vowels", _most(2)),
            "teeth": ("s z sh zh: teeth together", _least(90)),
            "tucked": ("f v: lower lip tucked", _least(90)),
            "rounded": ("w uw: rounded", _least(90)),
            "funnelled": ("sh zh: funnelled", ()),
            "misrounded": ("iy eh ae: rounded", _most(5)),
        }
        for name, (label, bars) in shares.items():
            rows[f"{key}_{name}"] = Measure(f"{who}: {label}", _SHARE, bars if asked else (), 1)
        rows |= {
            f"{key}_narrowest": Measure(f"{who}: gap left in p b m, 90th percentile", "mm", (), 1),
            f"{key}_sibilant": Measure(f"{who}: teeth apart in s z sh zh", "mm", (), 1),
            f"{key}_open": Measure(f"{who}: gap in aa ae ao", "mm", (), 1),
            f"{key}_close": Measure(f"{who}: gap in iy ih uw uh", "mm", (), 1),
            f"{key}_contrast": Measure(
                f"{who}: open over close vowels", "", _least(2.2) if asked else (), 2
            ),
        }
    return {f"articulation.{name}": measure for name, measure in rows.items()}


def _acted() -> dict[str, Measure]:
    """Return the rows of `suites.acted`."""
    rows = {}
    for way, how in (("plain", "no emotion given"), ("own", "its emotion given")):
        rows[f"{way}_closed"] = Measure(f"b of `by` closed, {how}", _SHARE, _least(95), 1)
        rows |= {f"{way}_closed_{name}": Measure(f"  {name}", _SHARE, (), 1) for name in _PLAYED}
        rows[f"{way}_narrowest"] = Measure("gap left in b, 90th percentile", "mm", (), 1)
        rows[f"{way}_false"] = Measure(f"false closures in vowels, {how}", _SHARE, _most(2), 1)
    for name in EMOTIONS[1:]:
        rows[f"like_{name}"] = Measure(f"{name}: likeness of action units", "", _least(0.7), 2)
        rows[f"like_size_{name}"] = Measure(f"{name}: their size over real actors'", "", (), 2)
    for name in EMOTIONS[1:]:
        rows[f"sway_{name}"] = Measure(f"{name}: change over time", _SHARE, _least(30), 0)
        rows[f"real_sway_{name}"] = Measure(f"{name}: of real actors 01-04", _SHARE, (), 0)
    for name in EMOTIONS[1:]:
        wider = f"{name}: strong acting opens wider by"
        rows[f"effort_{name}"] = Measure(wider, _SHARE, _least(35) if name == "angry" else (), 0)
    for name in EMOTIONS:
        shut = () if name == "surprised" else _most(1)
        rows[f"silent_{name}"] = Measure(f"gap in silence, {name}", "mm", shut, 1)
    for name in EMOTIONS:
        rows[f"inner_brow_{name}"] = Measure(f"{name}, silent: inner brows raised", "mm", (), 1)
        rows[f"outer_brow_{name}"] = Measure(f"{name}, silent: outer brows raised", "mm", (), 1)
        rows[f"corners_{name}"] = Measure(f"{name}, silent: lip corners raised", "mm", (), 1)
    rows["brow_sd"] = Measure("brows in neutral speech, standard deviation", "mm", (), 2)
    rows["brow_sides"] = Measure("left from right brow in neutral speech, mean", "mm", (), 3)
    return {f"acted.{name}": measure for name, measure in rows.items()}


MEASURES: dict[str, Measure] = {
    **_people("strangers", many=True),
    "grid.jaw_r": Measure(
        "jaw r to jawOpen, within 1 frame, median",
        bars=(Bar(at_least=0.90, from_ms=20), Bar(at_least=0.93, from_ms=60)),
    ),
    "grid.jaw_r0": Measure("jaw r at lag 0, median"),
    "grid.jaw_lag_ms": Measure("jaw lag of best r, median", "ms", digits=0),
    "grid.pucker_r": Measure(
        "purse r to mouthPucker, median", bars=(Bar(at_least=0.80, from_ms=60),)
    ),
    "grid.pucker_lag_ms": Measure("purse lag of best r, median", "ms", digits=0),
    "grid.close_r": Measure(
        "jaw x lips together r to mouthClose, median", bars=(Bar(at_least=0.80, from_ms=60),)
    ),
    "grid.together_r": Measure("lips together r to mouthClose, median"),
    "grid.closures": Measure("lips together during p b m", _SHARE, _least(95), 1),
    "grid.false_open": Measure("false closures in AA AE AO", _SHARE, _most(3), 1),
    "grid.jerk": Measure("jerk of the opening, over its 95th percentile", bars=_JERK, digits=4),
    "grid.true_jerk": Measure("jerk of the captured jaw", digits=4),
    **_people("grid_mm"),
    **_articulation(),
    **_acted(),
    "visemes.kathleen": Measure("phone classes named right, Kathleen", _SHARE, digits=1),
    "visemes.ravdess": Measure("RAVDESS 17-20", _SHARE, digits=1),
    "visemes.grid": Measure("GRID, lips, teeth and tongue", _SHARE, digits=1),
    "visemes.grid_lips": Measure("GRID, lips alone", _SHARE, digits=1),
    "visemes.real": Measure("GRID, the tracked talker's lips", _SHARE, digits=1),
    "facegood.one_r": Measure("jaw r to mouth_stretch_c, 2_05, within 1 frame", bars=_least(0.90)),
    "facegood.one_lag_ms": Measure("jaw lag of best r, 2_05", "ms", _most(33), 0),
    "facegood.all_r": Measure("jaw r to mouth_stretch_c, 2_01-2_05, median", bars=_least(0.85)),
    "facegood.all_r0": Measure("jaw r at lag 0, 2_01-2_05, median"),
    "facegood.all_lag_ms": Measure("jaw lag of best r, 2_01-2_05, median", "ms", digits=0),
    "ravdess.plain_r": Measure("jaw r to AU25+AU26, no emotion given, median", bars=_least(0.72)),
    "ravdess.own_r": Measure("jaw r to AU25+AU26, its emotion given, median", bars=_least(0.72)),
    "ravdess.own_r0": Measure("jaw r at lag 0, its emotion given, median"),
    "ravdess.own_lag_ms": Measure("jaw lag of best r, its emotion given, median", "ms", digits=0),
    **{f"ravdess.{emotion}_r": Measure(f"  {emotion}") for emotion in _PLAYED},
    "ravdess.loss": Measure("lip-sync lost by giving the emotion, mean of r"),
    **{f"ravdess.{emotion}_loss": Measure(f"  {emotion}") for emotion in _PLAYED},
    "ravdess.lve": Measure("LVE: mouth", _SQUARE),
    "ravdess.eve": Measure("EVE: upper face", _SQUARE),
    "ravdess.mve": Measure("MVE: all channels with a unit", "board"),
    "ravdess.fdd": Measure("FDD: upper face, true less made", _SQUARE, digits=4),
    "ravdess.fdd_size": Measure("FDD: mean of its size", _SQUARE, digits=4),
    "ravdess.region_distance": Measure("region correlation, distance to real motion"),
    "ravdess.unseen_lve": Measure("LVE: mouth, actors 03, 04", _SQUARE),
    "ravdess.unseen_eve": Measure("EVE: upper face, actors 03, 04", _SQUARE),
    "ravdess.unseen_region_distance": Measure("region correlation, distance, actors 03, 04"),
    "targets.lve": Measure("LVE: mouth", _SQUARE),
    "targets.eve": Measure("EVE: upper face", _SQUARE),
    "targets.mve": Measure("MVE: all channels", "board"),
    "targets.fdd": Measure("FDD: upper face, true less made", _SQUARE, digits=4),
    "targets.fdd_size": Measure("FDD: mean of its size", _SQUARE, digits=4),
    "targets.region_distance": Measure("region correlation, distance to the targets"),
    "lips.closures": Measure("lips together during p b m", _SHARE, _least(95), 1),
    "lips.gap": Measure("opening left during p b m, 90th percentile", "board"),
    "lips.parted": Measure("lips raised or lowered while together, mean", "board"),
    "lips.false_open": Measure("false closures in AA AE AO", _SHARE, _most(3), 1),
    "lips.false_any": Measure("false closures in any vowel", _SHARE, digits=1),
    "lips.felt_closures": Measure("lips together during p b m, emotions in turn", _SHARE, digits=1),
    "lips.felt_false_open": Measure(
        "false closures in AA AE AO, emotions in turn", _SHARE, digits=1
    ),
    "lips.closing_ms": Measure("shut after the end of speech, 90th percentile", "ms", _most(90), 0),
    "lips.closing_median_ms": Measure("shut after the end of speech, median", "ms", digits=0),
    "lips.jerk": Measure("jerk of the opening, over its 95th percentile", "", _JERK, 4),
    "silence.digital": Measure("opening in digital silence, greatest", "board", _most(0.02)),
    "silence.pauses": Measure("opening before and after speech, mean", "board", _most(0.02)),
    "silence.snr20": Measure("opening in noise, 20 dB SNR, mean", "board", _most(0.02)),
    "silence.snr10": Measure("opening in noise, 10 dB SNR, mean", "board", _most(0.02)),
    "silence.snr10_top": Measure("opening in noise, 10 dB SNR, 95th percentile", "board"),
    "phones.ravdess_speech": Measure(
        "frames of speech right, RAVDESS actors 17-20", _SHARE, _least(60), 1
    ),
    "phones.kathleen_speech": Measure("frames of speech right, Kathleen", _SHARE, _least(60), 1),
    "phones.kokoro_speech": Measure("frames of speech right, Kokoro voices", _SHARE, digits=1),
    "phones.ravdess": Measure("with silence, RAVDESS 17-20", _SHARE, digits=1),
    "phones.kathleen": Measure("with silence, Kathleen", _SHARE, digits=1),
    "phones.kokoro": Measure("with silence, held-out Kokoro voices", _SHARE, digits=1),
    "emotion.recognised": Measure("emotion recognised, 5 classes", _SHARE, _least(80), 1),
    **{f"emotion.{name}": Measure(f"  {name}", _SHARE, digits=0) for name in EMOTIONS[:5]},
    "emotion.real": Measure("real faces of actors 17-20 recognised", _SHARE, digits=1),
    "joint.unmouthed": Measure(
        "told by gaze, head and upper face, 5 classes", _SHARE, _least(60), 1
    ),
    **{f"joint.{name}": Measure(f"  {name}", _SHARE, digits=0) for name in EMOTIONS[:5]},
    "joint.all": Measure("told by all cues", _SHARE, _least(90), 1),
    "joint.faint50": Measure("told by gaze, head and upper face, moods at half", _SHARE, digits=1),
    "joint.faint25": Measure(
        "told by gaze, head and upper face, moods at a quarter", _SHARE, digits=1
    ),
    "joint.manner": Measure("told by gaze, blinks and head alone", _SHARE, digits=1),
    "joint.upper": Measure("told by the upper face alone", _SHARE, digits=1),
    "joint.whole": Measure("told by the face alone", _SHARE, digits=1),
    "joint.real_upper": Measure("real upper faces of actors 17-20 told", _SHARE, digits=1),
    "joint.real_all": Measure("real faces of actors 17-20 told", _SHARE, digits=1),
    "joint.real_phone": Measure(
        "real gaze, blinks, upper face: phone takes, 1 person, 4 classes", _SHARE, digits=1
    ),
    "alive.grid": Measure("GRID, a tracked man", _SHARE, _most(3), 2),
    "alive.facegood": Measure("FACEGOOD", _SHARE, _most(3), 2),
    "alive.ravdess": Measure("RAVDESS", _SHARE, _most(3), 2),
    "alive.lips": Measure("closures, Kokoro voices", _SHARE, _most(3), 2),
    "alive.silence": Measure("rest, in silence and noise", _SHARE, _most(3), 2),
    "mood.plain": Measure("clips told right, 5 classes (chance 20)", _SHARE, digits=1),
    **{f"mood.{name}": Measure(f"  {name}", _SHARE, digits=0) for name in EMOTIONS[:5]},
    "mood.louder": Measure("the same, 12 dB louder", _SHARE, digits=1),
    "mood.softer": Measure("the same, 12 dB softer", _SHARE, digits=1),
    "mood.telephone": Measure("the same, by telephone", _SHARE, digits=1),
    "mood.noisy": Measure("the same, in noise, 10 dB SNR", _SHARE, digits=1),
    "mood.found": Measure("turns whose emotion shows, after a calm one", _SHARE, digits=1),
    "mood.found_s": Measure("after so long, median", "s", digits=1),
    "mood.right_time": Measure("time of such turns in which it shows", _SHARE, digits=1),
    "mood.wrong_time": Measure("time in which another shows", _SHARE, digits=1),
    "mood.kathleen": Measure("time with a mood, Kathleen reading", _SHARE, _most(2), 1),
    "mood.kokoro": Measure("time with a mood, unheard Kokoro voices reading", _SHARE, _most(2), 1),
    "mood.grid": Measure("time with a mood, GRID reading", _SHARE, _most(2), 1),
    "mood.noise": Measure("time with a mood, pink noise", _SHARE, _most(0), 1),
    "mood.tones": Measure("time with a mood, chords", _SHARE, _most(2), 1),
    "mood.arousal": Measure("strong acting more aroused than normal", _SHARE, _least(90), 1),
    "mood.arousal_kathleen": Measure("time aroused, Kathleen reading", _SHARE, _most(2), 1),
    "mood.arousal_kokoro": Measure("time aroused, Kokoro reading", _SHARE, _most(2), 1),
    "mood.arousal_grid": Measure("time aroused, GRID reading", _SHARE, _most(2), 1),
    "mood.hop_ms": Measure("a hop, five at once, median", "ms", _most(0.5), 2),
    "speed.parameters": Measure("parameters", "M", _most(5), 2),
    "speed.real_time_factor": Measure("work for a second of sound", "s", digits=4),
    "speed.hop_p50_ms": Measure("streamed hop, median", "ms", digits=2),
    "speed.hop_p99_ms": Measure("streamed hop, 99th percentile", "ms", _most(5), 2),
}
"""By `<suite>.<measure>`, in the order of the table."""


class Suite(Protocol):
    """Measures makers on recordings that it loaded when it was made."""

    title: str
    """What is measured on what, in one line."""
    source: str
    """The source (`cstalk_bridge.models.training.sources.SOURCES`) which, in training, makes
    figures too good."""
    is_timed: bool
    """Whether the look-ahead can change its figures."""

    def measure(self, maker: Predictor, lookahead_ms: int) -> Iterator[Measurement]:
        """Yield what was found; nothing where the maker cannot take part.

        A finding over no clips at all (`count` 0) is left out of the results.
        """


def median(key: str, values: Sequence[float]) -> Measurement:
    """Return the median of values as a finding; NaN of none."""
    return percentile(key, values, 50)


def mean(key: str, values: Sequence[float]) -> Measurement:
    """Return the mean of values as a finding; NaN of none."""
    return Measurement(key, float(np.mean(values)) if len(values) else math.nan, len(values))


def percentile(key: str, values: Sequence[float], percent: float) -> Measurement:
    """Return a percentile of values as a finding; NaN of none."""
    found = float(np.percentile(values, percent)) if len(values) else math.nan
    return Measurement(key, found, len(values))


def agreement_with(made: NDArray[np.float32], recording: Recording, *curves: str) -> Agreement:
    """Return how well a made curve [rows] follows the sum of captured curves."""
    true = np.sum([recording.curves[name] for name in curves], axis=0)
    return agreement(made, recording.times_s, true)

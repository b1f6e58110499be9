"""All suites in the order of the table: what each measures, in which unit, against which bar.

`SUITES` is their one declaration. The command line, the table, the comparison and the JSON file
take names and measures from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from cstalk_bridge.models.emotions import EMOTION_CLASSES, EMOTIONS
from cstalk_bridge.models.evaluation.measures import Bar, Measure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cstalk_bridge.models.evaluation.measures import Suite


@dataclass(frozen=True, slots=True)
class SuiteEntry:
    """A suite by the name of its factory, `module.function` in `suites`.

    The factory takes the folders of the data, the most clips of a source and, where `needs` names
    a field of `EvaluationRequest`, that. `measures` are named without the suite.
    """

    factory: str
    measures: Mapping[str, Measure] = field(repr=False)
    needs: Literal["", "head", "animation"] = ""

    def create(self) -> Callable[..., Suite]:
        """Import and return the factory."""
        module, _, name = self.factory.partition(".")
        package = f"{__name__.rpartition('.')[0]}.suites"
        factory: Callable[..., Suite] = getattr(import_module(f"{package}.{module}"), name)
        return factory


def _at_least(value: float) -> tuple[Bar, ...]:
    return (Bar(at_least=value),)


def _at_most(value: float) -> tuple[Bar, ...]:
    return (Bar(at_most=value),)


def _share(label: str, bars: tuple[Bar, ...] = (), digits: int = 1) -> Measure:
    return Measure(label, "%", bars, digits)


SIZE_TOLERANCE = 0.25
"""How far a size may be from the real one, as a share of it."""

_JERK = (Bar(0.015, 0.04),)
_SQUARE = "board^2"
_PLAYED = (EMOTIONS[0], "calm", *EMOTIONS[1:])
_CLASSES = {name: _share(f"  {name}", digits=0) for name in EMOTION_CLASSES}


def _people(*, many: bool = False) -> dict[str, Measure]:
    """Measures of `known_faces.People`: r, lag, and size beside the real one."""
    close = (Bar(1 - SIZE_TOLERANCE, 1 + SIZE_TOLERANCE),)
    rows: dict[str, Measure] = {}
    for curve, unit, digits in (("gap", "mm", 1), ("width", "mm", 1), ("pucker", "score", 2)):
        rows |= {
            f"{curve}_r": Measure(f"{curve}: r"),
            f"{curve}_lag_ms": Measure(f"{curve}: lag", "ms", digits=0),
            f"{curve}_ratio": Measure(f"{curve}: size over the real one", "", close, 2),
            f"{curve}_size": Measure(f"{curve}: size", unit, digits=digits),
            f"{curve}_real_size": Measure(f"{curve}: real size", unit, digits=digits),
        }
        if many:
            rows[f"{curve}_clips_r"] = Measure(f"{curve}: r, mean over clips instead of people")
            rows[f"{curve}_own_lag_r"] = Measure(f"{curve}: r at each person's lag, held out")
        if many and curve == "gap":
            rows["gap_within"] = _share("gap: people within 25 % of the real size", digits=0)
            rows["gap_size_r"] = Measure("gap: r of sizes over people", "", _at_least(0.4))
    return rows


_GRID = {
    "jaw_r": Measure(
        "jaw r to jawOpen, within 1 frame, median",
        bars=(Bar(at_least=0.90, from_ms=20), Bar(at_least=0.93, from_ms=60)),
    ),
    "jaw_r0": Measure("jaw r at lag 0, median"),
    "jaw_lag_ms": Measure("jaw lag of best r, median", "ms", digits=0),
    "pucker_r": Measure("purse r to mouthPucker, median", bars=(Bar(at_least=0.80, from_ms=60),)),
    "pucker_lag_ms": Measure("purse lag of best r, median", "ms", digits=0),
    "close_r": Measure(
        "jaw x lips together r to mouthClose, median", bars=(Bar(at_least=0.80, from_ms=60),)
    ),
    "together_r": Measure("lips together r to mouthClose, median"),
    "closures": _share("lips together during p b m", _at_least(95)),
    "false_open": _share("false closures in AA AE AO", _at_most(3)),
    "jerk": Measure("jerk of the opening, over its 95th percentile", bars=_JERK, digits=4),
    "true_jerk": Measure("jerk of the captured jaw", digits=4),
}

_VOICES = {
    "kathleen": "Kathleen",
    "grid": "GRID",
    "ravdess": "RAVDESS 17-20",
    "kokoro": "Kokoro voices",
    "real": "the tracked GRID talker",
}


def _articulation() -> dict[str, Measure]:
    """Measures of `articulation.Articulation`; the tracked talker has no bars."""
    rows = {}
    for key, who in _VOICES.items():
        has_bars = key != "real"
        shares = {
            "closed": ("p b m closed", _at_least(93)),
            "false": ("false closures in vowels", _at_most(2)),
            "teeth": ("s z sh zh: teeth together", _at_least(90)),
            "tucked": ("f v: lower lip tucked", _at_least(90)),
            "rounded": ("w uw: rounded", _at_least(90)),
            "funnelled": ("sh zh: funnelled", ()),
            "misrounded": ("iy eh ae: rounded", _at_most(5)),
        }
        for name, (label, bars) in shares.items():
            rows[f"{key}_{name}"] = _share(f"{who}: {label}", bars if has_bars else ())
        contrast = _at_least(2.2) if has_bars else ()
        rows |= {
            f"{key}_narrowest": Measure(f"{who}: gap in p b m, 90th percentile", "mm", (), 1),
            f"{key}_sibilant": Measure(f"{who}: teeth apart in s z sh zh", "mm", (), 1),
            f"{key}_open": Measure(f"{who}: gap in aa ae ao", "mm", (), 1),
            f"{key}_close": Measure(f"{who}: gap in iy ih uw uh", "mm", (), 1),
            f"{key}_contrast": Measure(f"{who}: open over close vowels", "", contrast, 2),
        }
    return rows


def _acted() -> dict[str, Measure]:
    """Measures of `acting.Acted`."""
    rows = {}
    for way, how in (("plain", "no emotion given"), ("own", "its emotion given")):
        rows[f"{way}_closed"] = _share(f"b of `by` closed, {how}", _at_least(95))
        rows |= {f"{way}_closed_{name}": _share(f"  {name}") for name in _PLAYED}
        rows[f"{way}_narrowest"] = Measure("gap in b, 90th percentile", "mm", (), 1)
        rows[f"{way}_false"] = _share(f"false closures in vowels, {how}", _at_most(2))
        rows[f"unseen_{way}_closed"] = _share(f"b of `by` closed, actors 17-20, {how}")
        rows[f"unseen_{way}_false"] = _share(f"false closures, actors 17-20, {how}")
    for name in EMOTIONS[1:]:
        rows[f"like_{name}"] = Measure(f"{name}: cosine of action units", "", _at_least(0.7), 2)
        rows[f"like_size_{name}"] = Measure(f"{name}: their size over real actors'", "", (), 2)
    for name in EMOTIONS[1:]:
        rows[f"sway_{name}"] = _share(f"{name}: change within a clip", _at_least(30), 0)
        rows[f"real_sway_{name}"] = _share(f"{name}: of real actors 01-04", digits=0)
    for name in EMOTIONS[1:]:
        bars = _at_least(35) if name == "angry" else ()
        rows[f"effort_{name}"] = _share(f"{name}: strong acting opens wider by", bars, 0)
    for name in EMOTIONS:
        bars = () if name == "surprised" else _at_most(1)
        rows[f"silent_{name}"] = Measure(f"gap in silence, {name}", "mm", bars, 1)
    for name in EMOTIONS:
        rows[f"inner_brow_{name}"] = Measure(f"{name}, silent: inner brows raised", "mm", (), 1)
        rows[f"outer_brow_{name}"] = Measure(f"{name}, silent: outer brows raised", "mm", (), 1)
        rows[f"corners_{name}"] = Measure(f"{name}, silent: lip corners raised", "mm", (), 1)
    rows["brow_sd"] = Measure("brows in neutral speech, standard deviation", "mm", (), 2)
    rows["brow_sides"] = Measure("left from right brow in neutral speech, mean", "mm", (), 3)
    return rows


_VISEMES = {
    "kathleen": _share("phone classes recognised, Kathleen"),
    "ravdess": _share("RAVDESS 17-20"),
    "grid": _share("GRID, lips, teeth and tongue"),
    "grid_lips": _share("GRID, lips alone"),
    "real": _share("GRID, the tracked talker's lips"),
}

NO_SPEECH_SOUNDS = ("keys", "claps", "hum", "music", "beeps", "whistle", "puffs")
"""The kinds of `training.encoder.prepare.SOUNDS`, which the command line does not import."""

_NO_SPEECH = {
    **{kind: Measure(f"gap in {kind}, mean", "mm", _at_most(1), 1) for kind in NO_SPEECH_SOUNDS},
    "all": Measure("gap in all of them, mean", "mm", _at_most(1), 1),
    "top": Measure("gap, 95th percentile", "mm", digits=1),
}

_FACEGOOD = {
    "one_r": Measure("jaw r to mouth_stretch_c, 2_05, within 1 frame", bars=_at_least(0.90)),
    "one_lag_ms": Measure("jaw lag of best r, 2_05", "ms", _at_most(33), 0),
    "all_r": Measure("jaw r to mouth_stretch_c, 2_01-2_05, median", bars=_at_least(0.85)),
    "all_r0": Measure("jaw r at lag 0, 2_01-2_05, median"),
    "all_lag_ms": Measure("jaw lag of best r, 2_01-2_05, median", "ms", digits=0),
}

_RAVDESS = {
    "plain_r": Measure("jaw r to AU25+AU26, no emotion given, median", bars=_at_least(0.72)),
    "own_r": Measure("jaw r to AU25+AU26, its emotion given, median", bars=_at_least(0.72)),
    "own_r0": Measure("jaw r at lag 0, its emotion given, median"),
    "own_lag_ms": Measure("jaw lag of best r, its emotion given, median", "ms", digits=0),
    **{f"{emotion}_r": Measure(f"  {emotion}") for emotion in _PLAYED},
    "loss": Measure("lip-sync lost by giving the emotion, mean of r"),
    **{f"{emotion}_loss": Measure(f"  {emotion}") for emotion in _PLAYED},
    "lve": Measure("LVE: mouth", _SQUARE),
    "eve": Measure("EVE: upper face", _SQUARE),
    "mve": Measure("MVE: all channels with a unit", "board"),
    "fdd": Measure("FDD: upper face, real less generated", _SQUARE, digits=4),
    "fdd_size": Measure("FDD: mean of its size", _SQUARE, digits=4),
    "region_distance": Measure("region correlation, distance to real motion"),
    "unseen_plain_r": Measure("jaw r, no emotion given, actors 03, 04, median"),
    "unseen_own_r": Measure("jaw r, its emotion given, actors 03, 04, median"),
    "unseen_lve": Measure("LVE: mouth, actors 03, 04", _SQUARE),
    "unseen_eve": Measure("EVE: upper face, actors 03, 04", _SQUARE),
    "unseen_region_distance": Measure("region correlation, distance, actors 03, 04"),
}

_TARGETS = {
    "lve": Measure("LVE: mouth", _SQUARE),
    "eve": Measure("EVE: upper face", _SQUARE),
    "mve": Measure("MVE: all channels", "board"),
    "fdd": Measure("FDD: upper face, target less generated", _SQUARE, digits=4),
    "fdd_size": Measure("FDD: mean of its size", _SQUARE, digits=4),
    "region_distance": Measure("region correlation, distance to the targets"),
}

_LIPS = {
    "closures": _share("lips together during p b m", _at_least(95)),
    "gap": Measure("opening left during p b m, 90th percentile", "board"),
    "parted": Measure("lips raised or lowered while together, mean", "board"),
    "false_open": _share("false closures in AA AE AO", _at_most(3)),
    "false_any": _share("false closures in any vowel"),
    "felt_closures": _share("lips together during p b m, emotions in turn"),
    "felt_false_open": _share("false closures in AA AE AO, emotions in turn"),
    "closing_ms": Measure("shut after the end of speech, 90th percentile", "ms", _at_most(90), 0),
    "closing_median_ms": Measure("shut after the end of speech, median", "ms", digits=0),
    "jerk": Measure("jerk of the opening, over its 95th percentile", "", _JERK, 4),
}

_SILENCE = {
    "digital": Measure("opening in digital silence, greatest", "board", _at_most(0.02)),
    "pauses": Measure("opening before and after speech, mean", "board", _at_most(0.02)),
    "snr20": Measure("opening in noise, 20 dB SNR, mean", "board", _at_most(0.02)),
    "snr10": Measure("opening in noise, 10 dB SNR, mean", "board", _at_most(0.02)),
    "snr10_top": Measure("opening in noise, 10 dB SNR, 95th percentile", "board"),
}

_PHONES = {
    "ravdess_speech": _share("speech frames correct, RAVDESS actors 17-20", _at_least(60)),
    "kathleen_speech": _share("speech frames correct, Kathleen", _at_least(60)),
    "kokoro_speech": _share("speech frames correct, Kokoro voices"),
    "ravdess": _share("with silence, RAVDESS 17-20"),
    "kathleen": _share("with silence, Kathleen"),
    "kokoro": _share("with silence, held-out Kokoro voices"),
}

_EMOTION = {
    "recognised": _share("emotion recognised, 5 classes", _at_least(80)),
    **_CLASSES,
    "real": _share("real faces of actors 17-20 recognised"),
}

_BY_UPPER = "recognised from gaze, head and upper face"
_JOINT = {
    "unmouthed": _share(f"{_BY_UPPER}, 5 classes", _at_least(60)),
    **_CLASSES,
    "all": _share("recognised from all cues", _at_least(90)),
    "faint50": _share(f"{_BY_UPPER}, emotions at half strength"),
    "faint25": _share(f"{_BY_UPPER}, emotions at a quarter"),
    "manner": _share("recognised from gaze, blinks and head alone"),
    "upper": _share("recognised from the upper face alone"),
    "whole": _share("recognised from the face alone"),
    "real_upper": _share("real upper faces of actors 17-20 recognised"),
    "real_all": _share("real faces of actors 17-20 recognised"),
    "real_phone": _share("real gaze, blinks, upper face: phone takes, 1 person, 4 classes"),
}

_ALIVE = {
    "grid": _share("GRID, a tracked man", _at_most(3), 2),
    "facegood": _share("FACEGOOD", _at_most(3), 2),
    "ravdess": _share("RAVDESS", _at_most(3), 2),
    "lips": _share("closures, Kokoro voices", _at_most(3), 2),
    "silence": _share("rest, in silence and noise", _at_most(3), 2),
}

_ACTING = {
    **{
        f"change_{name}": _share(f"{name}: change within a clip", _at_least(30), 0)
        for name in EMOTIONS[1:]
    },
    **{f"real_change_{name}": _share(f"{name}: of real actors", digits=0) for name in EMOTIONS[1:]},
    **{
        f"between_{name}": _share(f"{name}: change from clip to clip", digits=0)
        for name in EMOTIONS[1:]
    },
    **{
        f"real_between_{name}": _share(f"{name}: of a real actor", digits=0)
        for name in EMOTIONS[1:]
    },
    **{
        f"spread_{name}": _share(f"neutral speech, spread of {name} over real", _at_least(50), 0)
        for name in ("brows", "lids", "cheeks", "nose", "corners")
    },
    "region_distance": Measure("region correlation, distance to real motion"),
    "unseen_region_distance": Measure("region correlation, distance, actors 03, 04"),
    "sides": Measure("neutral speech, left from right, mean", "board", (Bar(0.005, 0.02),), 4),
    "at_zero": Measure("channels at 0 in 20 s of silence", "", _at_most(1), 0),
}

_MOOD = {
    "plain": _share("clips recognised, 5 classes (chance 20)"),
    **_CLASSES,
    "louder": _share("the same, 12 dB louder"),
    "softer": _share("the same, 12 dB softer"),
    "telephone": _share("the same, over a telephone line"),
    "noisy": _share("the same, in noise, 10 dB SNR"),
    "found": _share("turns whose emotion is detected, after a calm one"),
    "found_s": Measure("time to detection, median", "s", digits=1),
    "right_time": _share("time in such turns with that emotion"),
    "wrong_time": _share("time in such turns with another"),
    "kathleen": _share("time with an emotion, Kathleen reading", _at_most(2)),
    "kokoro": _share("time with an emotion, held-out Kokoro voices reading", _at_most(2)),
    "grid": _share("time with an emotion, GRID reading", _at_most(2)),
    "noise": _share("time with an emotion, pink noise", _at_most(0)),
    "tones": _share("time with an emotion, chords", _at_most(2)),
    "arousal": _share("strong acting more aroused than normal", _at_least(90)),
    "arousal_kathleen": _share("time aroused, Kathleen reading", _at_most(2)),
    "arousal_kokoro": _share("time aroused, Kokoro reading", _at_most(2)),
    "arousal_grid": _share("time aroused, GRID reading", _at_most(2)),
    "hop_ms": Measure("a hop, five at once, median", "ms", _at_most(0.5), 2),
}

_SPEED = {
    "parameters": Measure("parameters", "M", _at_most(5), 2),
    "real_time_factor": Measure("computing time per second of sound", "s", digits=4),
    "hop_p50_ms": Measure("streamed hop, median", "ms", digits=2),
    "hop_p99_ms": Measure("streamed hop, 99th percentile", "ms", _at_most(5), 2),
}

SUITES: dict[str, SuiteEntry] = {
    "strangers": SuiteEntry("known_faces.strangers_people", _people(many=True), "head"),
    "unseen_strangers": SuiteEntry("known_faces.unseen_strangers", _people(many=True), "head"),
    "grid": SuiteEntry("known_faces.Grid", _GRID),
    "grid_mm": SuiteEntry("known_faces.grid_people", _people(), "head"),
    "articulation": SuiteEntry("articulation.Articulation", _articulation(), "head"),
    "acted": SuiteEntry("acting.Acted", _acted(), "head"),
    "visemes": SuiteEntry("articulation.Visemes", _VISEMES, "head"),
    "no_speech": SuiteEntry("lips.NoSpeech", _NO_SPEECH, "head"),
    "facegood": SuiteEntry("known_faces.Facegood", _FACEGOOD),
    "ravdess": SuiteEntry("known_faces.Ravdess", _RAVDESS),
    "targets": SuiteEntry("known_faces.Targets", _TARGETS),
    "lips": SuiteEntry("lips.Lips", _LIPS),
    "silence": SuiteEntry("lips.Silence", _SILENCE),
    "phones": SuiteEntry("speech_emotion.Phones", _PHONES),
    "emotion": SuiteEntry("emotion.Emotion", _EMOTION),
    "joint": SuiteEntry("emotion.MultimodalEmotion", _JOINT, "animation"),
    "alive": SuiteEntry("lips.AnimatedLips", _ALIVE, "animation"),
    "acting": SuiteEntry("acting.Acting", _ACTING, "animation"),
    "mood": SuiteEntry("speech_emotion.SpeechEmotion", _MOOD),
    "speed": SuiteEntry("speech_emotion.Speed", _SPEED),
}

MEASURES: dict[str, Measure] = {
    f"{suite}.{name}": measure
    for suite, entry in SUITES.items()
    for name, measure in entry.measures.items()
}
"""By `<suite>.<measure>`, in the order of the table."""

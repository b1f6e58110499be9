"""What one kind of features tells: phones, bilabial events, lips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.evaluation.probes.material import LIPS
from models.evaluation.probes.probe import classifier, regression
from models.training.phones import INDEX, PHONES, SILENCE
from models.training.segments import phone_indices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.evaluation.probes.features import Features
    from models.evaluation.probes.material import Filmed, Spoken
    from models.evaluation.probes.probe import Probe
    from models.training.segments import Segment

BILABIAL = ("B", "M", "P")
FALSE_ALARMS = 0.03
AFTER_S = 0.02  # an event may be told this long after the phone's end
APART_S = 0.05  # phones nearer than this to a bilabial are no false alarm
LEAST_FRAMES = 10  # of a clip whose correlation is taken


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares and correlations, 0..1; NaN where there was nothing to measure on.

    `phones_*`: rows of speech told right. `bilabials_*`: p b m heard at `FALSE_ALARMS` of the other
    phones. `lips`: mean over clips of r with the measured gap, width and protrusion.
    """

    phones_actors: float
    phones_voices: float
    bilabials_actors: float
    bilabials_voices: float
    lips: tuple[float, ...]


def figures_of(
    features: Features,
    taught: Sequence[Spoken],
    actors: Sequence[Spoken],
    voices: Sequence[Spoken],
    filmed: Sequence[Filmed],
    strangers: Sequence[Filmed],
) -> Figures:
    """Teach the probes on `taught` and `filmed`; return what they tell of the others."""
    heard = [features.rows(clip.sound) for clip in taught]
    told = [phone_indices(clip.phones, len(rows)) for clip, rows in zip(taught, heard, strict=True)]
    probe = classifier(np.concatenate(heard), np.concatenate(told), len(PHONES))
    said = _said(probe, features, actors), _said(probe, features, voices)
    return Figures(
        phones_actors=_rows_right(said[0]),
        phones_voices=_rows_right(said[1]),
        bilabials_actors=_events_heard(said[0]),
        bilabials_voices=_events_heard(said[1]),
        lips=_lips(features, filmed, strangers),
    )


def _said(
    probe: Probe, features: Features, clips: Sequence[Spoken]
) -> list[tuple[Spoken, NDArray[np.float32]]]:
    return [(clip, probe(features.rows(clip.sound))) for clip in clips]


def _rows_right(said: Sequence[tuple[Spoken, NDArray[np.float32]]]) -> float:
    right = []
    for clip, log_shares in said:
        phones = phone_indices(clip.phones, len(log_shares))
        right.append((log_shares.argmax(1) == phones)[phones > 0])
    return float(np.concatenate(right).mean()) if right else float("nan")


def _events_heard(said: Sequence[tuple[Spoken, NDArray[np.float32]]]) -> float:
    """Return the share of bilabials whose score passes what `FALSE_ALARMS` of others pass."""
    events: list[float] = []
    others: list[float] = []
    columns = [INDEX[phone] for phone in BILABIAL]
    for clip, log_shares in said:
        score = np.exp(log_shares[:, columns]).sum(1)
        closures = [(a, b) for a, b, phone in clip.phones if phone in BILABIAL]
        for segment in clip.phones:
            start_s, end_s, phone = segment
            rows = _rows_within(segment, len(score))
            if phone in BILABIAL:
                events.append(float(score[rows].max()))
            elif phone != SILENCE and all(
                end_s + APART_S < a or b + APART_S < start_s for a, b in closures
            ):
                others.append(float(score[rows].max()))
    if not events or not others:
        return float("nan")
    return float((np.array(events) > np.quantile(others, 1 - FALSE_ALARMS)).mean())


def _rows_within(segment: Segment, rows: int) -> slice:
    first = min(rows - 1, round(segment[0] * 50))
    return slice(first, max(first + 1, round((segment[1] + AFTER_S) * 50)))


def _lips(
    features: Features, filmed: Sequence[Filmed], strangers: Sequence[Filmed]
) -> tuple[float, ...]:
    if not filmed or not strangers:
        return (float("nan"),) * len(LIPS)
    heard = np.concatenate([features.rows(clip.sound)[clip.rows] for clip in filmed])
    probe: Probe = regression(heard, np.concatenate([clip.lips for clip in filmed]))
    found = []
    for clip in strangers:
        if len(clip.rows) >= LEAST_FRAMES:
            said = probe(features.rows(clip.sound)[clip.rows])
            found.append(
                [np.corrcoef(a, b)[0, 1] for a, b in zip(said.T, clip.lips.T, strict=True)]
            )
    return tuple(float(r) for r in np.nanmean(found, 0))

"""Emotions at three strengths, talking and silent, and speech from a murmur to a shout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.evaluation.sheets.bundled import OPEN_VOWEL_S, bundled_speech
from bridge.evaluation.sheets.canvas import Cell, Row, Sheet
from models.emotions import EMOTIONS, MAX_WEIGHT
from models.evaluation.aligned_voices import ravdess_acted
from models.evaluation.options import ALL_CLIPS
from models.evaluation.recordings import MissingDataError, Recording
from models.timing import ROW_RATE_HZ, SAMPLE_RATE_HZ
from models.training.phones import VOWELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.evaluation.sheets.studio import Studio

STRENGTHS = (0.5, 1.0, MAX_WEIGHT)
SILENCE_S, SETTLED_S = 3.0, 2.5
EFFORTS = {
    "murmur\n(calm)": ("02", "01"),
    "talk\n(neutral)": ("01", "01"),
    "raised\n(angry)": ("05", "01"),
    "shout\n(very angry)": ("05", "02"),
}
"""Codes of emotion and intensity in RAVDESS: acted loudness; the face is made without emotion."""
SENTENCE, ACTORS = "01", ("17", "18")
FEWEST_VOWEL_S = 0.04


def emotion_sheets(studio: Studio) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet for each head: a row an emotion, talking (an open vowel), then silent."""
    speech = bundled_speech()
    nothing = Recording("silence", np.zeros(round(SILENCE_S * SAMPLE_RATE_HZ), np.float32))
    for stage in studio.stages:
        rows = []
        for emotion in EMOTIONS:
            cells = []
            for words, recording, time_s in (
                ("talking", speech, OPEN_VOWEL_S),
                ("silent", nothing, SETTLED_S),
            ):
                for strength in STRENGTHS if emotion != EMOTIONS[0] else STRENGTHS[:1]:
                    shown = studio.perform(recording, stage, {emotion: strength})
                    row = round(time_s * ROW_RATE_HZ)
                    given = f" {strength:g}" if emotion != EMOTIONS[0] else ""
                    caption = f"{words}{given}: gap {shown.mm.gap[row]:.1f} mm"
                    cells.append(Cell(stage.face(shown.scores[row]), caption))
                if emotion == EMOTIONS[0]:
                    cells += [Cell(None)] * (len(STRENGTHS) - 1)
            rows.append(Row(emotion, cells))
        title = f"emotions at weight 0.5, 1 and 1.5, {studio.words}, on {stage.name}"
        yield f"emotions_{stage.name}", Sheet(title, rows)


def effort_sheets(studio: Studio) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet of one sentence murmured, said and shouted by two actors, vowel by vowel."""
    acted = ravdess_acted(studio.folders, ALL_CLIPS, ACTORS)
    clips = {clip.name.split("/")[1]: clip for clip in acted}
    stage = studio.stages[0]
    rows = []
    for actor in ACTORS:
        for label, (emotion, intensity) in EFFORTS.items():
            clip = clips.get(f"03-01-{emotion}-{intensity}-{SENTENCE}-01-{actor}")
            if clip is None:
                continue
            shown = studio.perform(clip, stage)
            top = float(np.percentile(shown.mm.gap, 95))
            words = f"actor {actor}: {label}\n95th percentile\nof the gap {top:.1f} mm"
            cells = [
                stage.mouth_cell(shown, row, phone) for row, phone in _vowels(clip.phones or ())
            ]
            rows.append(Row(words, cells))
    if not rows:
        raise MissingDataError(f"RAVDESS actors {', '.join(ACTORS)} are not there or not aligned")
    title = f"`kids are talking by the door`, vowels, no emotion given, {studio.words}"
    yield "effort", Sheet(f"{title}, on {stage.name}; gap | teeth in mm", rows)


def _vowels(phones: Sequence[tuple[float, float, str]]) -> Iterator[tuple[int, str]]:
    for start_s, end_s, phone in phones:
        if phone in VOWELS and end_s - start_s >= FEWEST_VOWEL_S:
            yield round((start_s + end_s) / 2 * ROW_RATE_HZ), phone.lower()

"""Every phone class at mid-phone, for several voices; p b m where the lips are nearest."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from bridge.evaluation.sheets.canvas import Cell, Row, Sheet
from bridge.evaluation.sheets.studio import captured
from models.evaluation.aligned_voices import grid_spoken, kathleen_read, ravdess_spoken
from models.evaluation.loading import kokoro
from models.evaluation.metrics.articulation import CLOSERS
from models.evaluation.options import ALL_CLIPS
from models.evaluation.recordings import MissingDataError
from models.evaluation.suites.visemes import CLASSES
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.evaluation.sheets.studio import Shown, Stage, Studio
    from models.evaluation.recordings import Recording

CLIPS = 12
"""Of a voice, in which its phones are looked for."""
LEAST_S = 0.05
"""A phone must last so long to be shown."""
PER_VOICE = 2
"""Phones of a class from a voice, where it has as many."""


def voices_of(studio: Studio) -> dict[str, list[Recording]]:
    """Return some clips of each voice that is there, by name; MissingDataError where none is."""
    found: dict[str, list[Recording]] = {}
    missing: list[str] = []
    for load in (kathleen_read, grid_spoken, ravdess_spoken, kokoro):
        try:
            clips = load(studio.folders, ALL_CLIPS)
        except MissingDataError as error:
            missing.append(str(error))
            continue
        for voice, own in groupby(sorted(clips, key=_voice), _voice):
            found[voice] = list(own)[:CLIPS]
    if not found:
        raise MissingDataError("; ".join(missing))
    return {voice: found[voice] for voice in _chosen(list(found))}


def _chosen(voices: list[str]) -> Iterator[str]:
    """Yield all voices but actors, of whom a man and a woman."""
    actors = [voice for voice in voices if voice.startswith("ravdess")]
    yield from (voice for voice in voices if voice not in actors[2:])


def _voice(clip: Recording) -> str:
    source, stem = clip.name.split("/")
    if source == "ravdess":
        return f"{source} {stem[-2:]}"
    return f"{source} {stem.split('__')[0]}" if source.startswith("kokoro") else source


def phone_sheets(studio: Studio) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet for each head: a row a class; of tracked voices the real mouth comes after."""
    voices = voices_of(studio)
    for stage in studio.stages:
        faces = {
            clip.name: (
                studio.perform(clip, stage),
                captured(clip, stage) if len(clip.times_s) else None,
            )
            for clips in voices.values()
            for clip in clips
        }
        rows = []
        for name, phones in CLASSES.items():
            cells: list[Cell] = []
            for voice, clips in voices.items():
                cells += _cells(stage, voice, clips, phones, faces)
            rows.append(Row(name, cells))
        title = f"phone classes at mid-phone, {studio.words}, on {stage.name}; gap | teeth in mm"
        yield f"phones_{stage.name}", Sheet(title, rows)


def _cells(
    stage: Stage,
    voice: str,
    clips: Sequence[Recording],
    phones: Sequence[str],
    faces: dict[str, tuple[Shown, Shown | None]],
) -> Iterator[Cell]:
    spoken = list(_spoken(clips, phones))
    tracked = any(len(clip.times_s) for clip in clips)
    for number in range(PER_VOICE):
        if not spoken:
            yield from [Cell(None)] * (1 + tracked)
            continue
        clip, start_s, end_s, phone = spoken[(2 * number + 1) * len(spoken) // (2 * PER_VOICE)]
        made, real = faces[clip.name]
        words = f"{_short(voice)} {phone.lower()}"
        yield stage.mouth_cell(made, _moment(made, start_s, end_s, phone), words)
        if tracked:
            seen = real or made
            yield stage.mouth_cell(seen, _moment(seen, start_s, end_s, phone), "real")


def _moment(shown: Shown, start_s: float, end_s: float, phone: str) -> int:
    """Return the middle row of a phone, of a bilabial that of its narrowest gap."""
    first, last = round(start_s * ROW_RATE_HZ), round(end_s * ROW_RATE_HZ)
    if phone not in CLOSERS:
        return round((start_s + end_s) / 2 * ROW_RATE_HZ)
    first = max(0, first - 1)
    return first + int(shown.mm.gap[first : last + 1].argmin())


def _spoken(
    clips: Sequence[Recording], phones: Sequence[str]
) -> Iterator[tuple[Recording, float, float, str]]:
    for clip in clips:
        for start_s, end_s, phone in clip.phones or ():
            if phone in phones and end_s - start_s >= LEAST_S:
                yield clip, start_s, end_s, phone


def _short(voice: str) -> str:
    source, _, own = voice.partition(" ")
    return own.partition("_")[2] or (f"{source[:4]}{own}" if own else source)

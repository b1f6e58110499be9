"""The kinds of contact sheets (viewing angles, emotions, vocal effort, phone classes, words), each
written to a folder as PNG files.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import soxr

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.evaluation.adapters import HeadInMm
from cstalk_bridge.evaluation.sheets.faces import (
    Cell,
    Row,
    Sheet,
    SheetContext,
    SheetHead,
    png_of,
    tracked_face,
)
from cstalk_bridge.heads.reading import OWN_ID
from cstalk_bridge.models.emotions import EMOTIONS, MAX_WEIGHT
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.evaluation.candidates import RULE, open_candidates
from cstalk_bridge.models.evaluation.recordings import (
    Folders,
    MissingDataError,
    Recording,
    grid,
    kokoro,
    reading,
    strangers,
)
from cstalk_bridge.models.evaluation.request import ALL_CLIPS
from cstalk_bridge.models.evaluation.suites.articulation import VISEME_CLASSES
from cstalk_bridge.models.evaluation.voices import (
    grid_spoken,
    kathleen_read,
    ravdess_acted,
    ravdess_spoken,
)
from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.metrics.geometry import CLOSERS
from cstalk_bridge.models.phones import VOWELS
from cstalk_bridge.models.timing import DEFAULT_LOOKAHEAD_MS, ROW_RATE_HZ, SAMPLE_RATE_HZ
from cstalk_bridge.takes.sound import open_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cstalk_bridge.evaluation.sheets.faces import ShownFace
    from cstalk_bridge.models.evaluation.request import EvaluationRequest


OPEN_VOWEL_S = 2.24
MOMENTS = {
    "silence": 8.30,
    "ah, watch": OPEN_VOWEL_S,
    "m, mouth": 2.58,
    "ee, speak": 3.54,
    "f, flew": 5.46,
    "oo, flew": 5.70,
}
"""Seconds into it, by what is spoken then."""


def bundled_speech() -> Recording:
    """Return the recording that comes with the program, mono 16 kHz."""
    sound = open_sound(SPEECH_PATH)
    samples = sound.read(0, sound.frames)
    return Recording("speech", soxr.resample(samples, sound.rate_hz, SAMPLE_RATE_HZ))


ANGLES_DEG = (0, 45, 90)


def angle_sheets(context: SheetContext) -> Iterator[tuple[str, Sheet]]:
    """Yield faces and mouths of the bundled recording from the front, half and whole profile."""
    speech = bundled_speech()
    shown = [(stage, context.perform(speech, stage)) for stage in context.stages]
    for what, picture in (("face", SheetHead.face), ("mouth", SheetHead.mouth)):
        rows = []
        for caption, time_s in MOMENTS.items():
            cells = [
                Cell(picture(stage, one.scores[_row(one, time_s)], yaw), f"{yaw} degrees")
                for stage, one in shown
                for yaw in ANGLES_DEG
            ]
            rows.append(Row(caption, cells))
        names = " and ".join(stage.name for stage in context.stages)
        yield f"angles_{what}", Sheet(f"{what}s from three sides, {context.label}, {names}", rows)


def _row(shown: ShownFace, time_s: float) -> int:
    return min(round(time_s * ROW_RATE_HZ), len(shown.scores) - 1)


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


def emotion_sheets(context: SheetContext) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet for each head: a row an emotion, talking (an open vowel), then silent."""
    speech = bundled_speech()
    nothing = Recording("silence", np.zeros(round(SILENCE_S * SAMPLE_RATE_HZ), np.float32))
    for stage in context.stages:
        rows = []
        for emotion in EMOTIONS:
            cells = []
            for caption, recording, time_s in (
                ("talking", speech, OPEN_VOWEL_S),
                ("silent", nothing, SETTLED_S),
            ):
                for strength in STRENGTHS if emotion != EMOTIONS[0] else STRENGTHS[:1]:
                    shown = context.perform(recording, stage, {emotion: strength})
                    row = round(time_s * ROW_RATE_HZ)
                    given = f" {strength:g}" if emotion != EMOTIONS[0] else ""
                    below = f"{caption}{given}: gap {shown.mm.gap[row]:.1f} mm"
                    cells.append(Cell(stage.face(shown.scores[row]), below))
                if emotion == EMOTIONS[0]:
                    cells += [Cell(None)] * (len(STRENGTHS) - 1)
            rows.append(Row(emotion, cells))
        title = f"emotions at weight 0.5, 1 and 1.5, {context.label}, on {stage.name}"
        yield f"emotions_{stage.name}", Sheet(title, rows)


def effort_sheets(context: SheetContext) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet of one sentence murmured, spoken and shouted by two actors, vowel by vowel."""
    acted = ravdess_acted(context.folders, ALL_CLIPS, ACTORS)
    clips = {clip.name.split("/")[1]: clip for clip in acted}
    stage = context.stages[0]
    rows = []
    for actor in ACTORS:
        for label, (emotion, intensity) in EFFORTS.items():
            clip = clips.get(f"03-01-{emotion}-{intensity}-{SENTENCE}-01-{actor}")
            if clip is None:
                continue
            shown = context.perform(clip, stage)
            top = float(np.percentile(shown.mm.gap, 95))
            caption = f"actor {actor}: {label}\n95th percentile\nof the gap {top:.1f} mm"
            cells = [
                stage.mouth_cell(shown, row, phone) for row, phone in _vowels(clip.phones or ())
            ]
            rows.append(Row(caption, cells))
    if not rows:
        raise MissingDataError(f"RAVDESS actors {', '.join(ACTORS)} are not there or not aligned")
    title = f"`kids are talking by the door`, vowels, no emotion given, {context.label}"
    yield "effort", Sheet(f"{title}, on {stage.name}; gap | teeth in mm", rows)


def _vowels(phones: Sequence[tuple[float, float, str]]) -> Iterator[tuple[int, str]]:
    for start_s, end_s, phone in phones:
        if phone in VOWELS and end_s - start_s >= FEWEST_VOWEL_S:
            yield round((start_s + end_s) / 2 * ROW_RATE_HZ), phone.lower()


CLIPS = 12
"""Of a voice, in which its phones are looked for."""
LEAST_S = 0.05
"""A phone must last so long to be shown."""
PER_VOICE = 2
"""Phones of a class from a voice, where it has as many."""


def voices_of(context: SheetContext) -> dict[str, list[Recording]]:
    """Return some clips of each voice that is there, by name; MissingDataError where none is."""
    found: dict[str, list[Recording]] = {}
    missing: list[str] = []
    for load in (kathleen_read, grid_spoken, ravdess_spoken, kokoro):
        try:
            clips = load(context.folders, ALL_CLIPS)
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


def phone_sheets(context: SheetContext) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet for each head: a row a class; of tracked voices the real mouth comes after."""
    voices = voices_of(context)
    for stage in context.stages:
        faces = {
            clip.name: (
                context.perform(clip, stage),
                tracked_face(clip, stage) if len(clip.times_s) else None,
            )
            for clips in voices.values()
            for clip in clips
        }
        rows = []
        for name, phones in VISEME_CLASSES.items():
            cells: list[Cell] = []
            for voice, clips in voices.items():
                cells += _cells(stage, voice, clips, phones, faces)
            rows.append(Row(name, cells))
        title = f"phone classes at mid-phone, {context.label}, on {stage.name}; gap | teeth in mm"
        yield f"phones_{stage.name}", Sheet(title, rows)


def _cells(
    stage: SheetHead,
    voice: str,
    clips: Sequence[Recording],
    phones: Sequence[str],
    faces: dict[str, tuple[ShownFace, ShownFace | None]],
) -> Iterator[Cell]:
    spoken = list(_spoken(clips, phones))
    tracked = any(len(clip.times_s) for clip in clips)
    for number in range(PER_VOICE):
        if not spoken:
            yield from [Cell(None)] * (1 + tracked)
            continue
        clip, start_s, end_s, phone = spoken[(2 * number + 1) * len(spoken) // (2 * PER_VOICE)]
        made, real = faces[clip.name]
        caption = f"{_short(voice)} {phone.lower()}"
        yield stage.mouth_cell(made, _moment(made, start_s, end_s, phone), caption)
        if tracked:
            seen = real or made
            yield stage.mouth_cell(seen, _moment(seen, start_s, end_s, phone), "real")


def _moment(shown: ShownFace, start_s: float, end_s: float, phone: str) -> int:
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


WORDS = ("white", "please", "blue", "zero", "five", "soon")
"""Of GRID's: a rounded and a spread mouth, closures, shut teeth, a tucked lip, oo."""
FRAME_S = 0.04
FRAMES = 12
LEAD_S = 0.08
STRANGERS = 4
BY, ACTOR = "B", "17"


def word_sheets(context: SheetContext) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet for each of `WORDS`: the first test clip of GRID in which it is spoken."""
    clips = {clip.name: clip for clip in grid(context.folders, ALL_CLIPS)}
    path = context.folders.needed("grid_s1/words.json")
    with reading(path):
        spoken = dict(json.loads(path.read_text("utf-8")))
    missing = set(WORDS)
    for word in WORDS:
        for name, clip in clips.items():
            times_s = [
                start_s for start_s, _, one in spoken.get(name.split("/")[1], ()) if one == word
            ]
            if times_s:
                missing.discard(word)
                title = f"`{word}` of GRID {name.split('/')[1]}, {context.label}; gap | teeth in mm"
                yield f"word_{word}", Sheet(title, _rows(context, clip, times_s[0] - LEAD_S))
                break
    if len(missing) == len(WORDS):
        raise MissingDataError(f"{path} holds none of {', '.join(WORDS)}; fetch it again")


def stranger_sheets(context: SheetContext) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet of news readers unknown to the default weights: real above made."""
    people = strangers(context.folders, 1)
    rows = []
    for person, (clip, *_) in list(people.items())[:STRANGERS]:
        seen = _rows(context, clip, float(clip.times_s[0]))
        rows += [Row(f"reader {person}\n{row.label}", row.cells) for row in seen]
    yield "strangers", Sheet(f"news readers, {context.label}; gap | teeth in mm", rows)


def by_sheets(context: SheetContext) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet of the b of `by` in each emotion of one actor, his emotion given."""
    stage = context.stages[0]
    rows = []
    clips = ravdess_acted(context.folders, ALL_CLIPS, (ACTOR,))
    for emotion in dict.fromkeys(clip.emotion for clip in clips):
        clip = next(clip for clip in clips if clip.emotion == emotion)
        start_s = next((a for a, _, phone in clip.phones or () if phone == BY), None)
        if start_s is not None:
            requested = {} if emotion in ("neutral", "calm") else {emotion: 1.0}
            shown = context.perform(clip, stage, requested)
            rows.append(_frames(stage, shown, start_s - LEAD_S, emotion))
    if not rows:
        raise MissingDataError(f"no clip of RAVDESS actor {ACTOR} was aligned")
    title = f"the b of `by`, from {1000 * LEAD_S:.0f} ms before it, actor {ACTOR}, {context.label}"
    yield "by", Sheet(f"{title}, on {stage.name}; gap | teeth in mm", rows)


def _rows(context: SheetContext, clip: Recording, start_s: float) -> list[Row]:
    """Return the real face on the first head, then the made one on each."""
    first = context.stages[0]
    made = [
        _frames(stage, context.perform(clip, stage), start_s, f"made, {stage.name}")
        for stage in context.stages
    ]
    return [_frames(first, tracked_face(clip, first), start_s, f"real, {first.name}"), *made]


def _frames(stage: SheetHead, shown: ShownFace, start_s: float, label: str) -> Row:
    times_s = [start_s + number * FRAME_S for number in range(FRAMES)]
    rows = [(time_s, round(time_s * ROW_RATE_HZ)) for time_s in times_s]
    cells = [
        stage.mouth_cell(shown, row, f"{time_s:.2f}s:")
        for time_s, row in rows
        if 0 <= row < len(shown.scores)
    ]
    return Row(label, cells)


SHEETS: dict[str, Callable[[SheetContext], Iterator[tuple[str, Sheet]]]] = {
    "emotions": emotion_sheets,
    "angles": angle_sheets,
    "phones": phone_sheets,
    "words": word_sheets,
    "by": by_sheets,
    "strangers": stranger_sheets,
    "effort": effort_sheets,
}
"""What makes each kind; the first two need no recordings but the bundled one."""


def draw_sheets(request: EvaluationRequest, head: HeadInMm, report: Callable[[str], None]) -> None:
    """Draw all sheets into `request.sheets`, of several networks each into a folder of its name.

    Faces are shown on `head` and on our own, at the requested look-ahead that is nearest to the
    default one. Each file, and each kind whose recordings are not there, is reported in a line.
    Raises UserError where a file cannot be written.
    """
    folder = request.sheets
    if folder is None:
        return
    stages = [SheetHead(head)]
    if head.name != OWN_ID:
        stages.append(SheetHead(HeadInMm.open(None)))
    nearest_ms = min(request.lookaheads_ms, key=lambda ms: abs(ms - DEFAULT_LOOKAHEAD_MS))
    networks = {
        candidate.predictor.name: candidate.predictor
        for candidate in reversed(open_candidates(request))
        if candidate.kind != RULE
    }
    for name, predictor in networks.items():
        data = Folders(request.data, request.cache)
        context = SheetContext(predictor, nearest_ms, data, tuple(stages))
        _draw(context, folder / name if len(networks) > 1 else folder, report)


def _draw(context: SheetContext, folder: Path, report: Callable[[str], None]) -> None:
    for kind, sheets in SHEETS.items():
        try:
            for name, sheet in sheets(context):
                path = folder / f"{name}.png"
                _write(path, png_of(sheet))
                report(f"{path}: {sheet.title}")
        except MissingDataError as error:
            report(f"{kind}: not drawn: {error}")


def _write(path: Path, content: bytes) -> None:
    try:
        write_file(path, content, parents=True)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise UserError(Problem(str(path), what, "name another folder with --sheets")) from None

"""Words frame by frame, the tracked face of whoever spoke above the made one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bridge.evaluation.sheets.canvas import Row, Sheet
from bridge.evaluation.sheets.studio import captured
from models.evaluation.aligned_voices import ravdess_acted
from models.evaluation.loading import grid, strangers
from models.evaluation.options import ALL_CLIPS
from models.evaluation.reading import reading
from models.evaluation.recordings import MissingDataError
from models.timing import ROW_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.evaluation.sheets.studio import Shown, Stage, Studio
    from models.evaluation.recordings import Recording

WORDS = ("white", "please", "blue", "zero", "five", "soon")
"""Of GRID's: a rounded and a spread mouth, closures, shut teeth, a tucked lip, oo."""
FRAME_S = 0.04
FRAMES = 12
LEAD_S = 0.08
STRANGERS = 4
BY, ACTOR = "B", "17"


def word_sheets(studio: Studio) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet for each of `WORDS`: the first test clip of GRID in which it is said."""
    clips = {clip.name: clip for clip in grid(studio.folders, ALL_CLIPS)}
    path = studio.folders.needed("grid_s1/words.json")
    with reading(path):
        said = dict(json.loads(path.read_text("utf-8")))
    missing = set(WORDS)
    for word in WORDS:
        for name, clip in clips.items():
            times_s = [
                start_s for start_s, _, one in said.get(name.split("/")[1], ()) if one == word
            ]
            if times_s:
                missing.discard(word)
                title = f"`{word}` of GRID {name.split('/')[1]}, {studio.words}; gap | teeth in mm"
                yield f"word_{word}", Sheet(title, _rows(studio, clip, times_s[0] - LEAD_S))
                break
    if len(missing) == len(WORDS):
        raise MissingDataError(f"{path} holds none of {', '.join(WORDS)}; fetch it again")


def stranger_sheets(studio: Studio) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet of news readers whom the default weights never heard: real above made."""
    people = strangers(studio.folders, 1)
    rows = []
    for person, (clip, *_) in list(people.items())[:STRANGERS]:
        seen = _rows(studio, clip, float(clip.times_s[0]))
        rows += [Row(f"reader {person}\n{row.label}", row.cells) for row in seen]
    yield "strangers", Sheet(f"news readers, {studio.words}; gap | teeth in mm", rows)


def by_sheets(studio: Studio) -> Iterator[tuple[str, Sheet]]:
    """Yield a sheet of the b of `by` in each emotion of one actor, his emotion given."""
    stage = studio.stages[0]
    rows = []
    clips = ravdess_acted(studio.folders, ALL_CLIPS, (ACTOR,))
    for emotion in dict.fromkeys(clip.emotion for clip in clips):
        clip = next(clip for clip in clips if clip.emotion == emotion)
        start_s = next((a for a, _, phone in clip.phones or () if phone == BY), None)
        if start_s is not None:
            felt = {} if emotion in ("neutral", "calm") else {emotion: 1.0}
            shown = studio.perform(clip, stage, felt)
            rows.append(_frames(stage, shown, start_s - LEAD_S, emotion))
    if not rows:
        raise MissingDataError(f"no clip of RAVDESS actor {ACTOR} was aligned")
    title = f"the b of `by`, from {1000 * LEAD_S:.0f} ms before it, actor {ACTOR}, {studio.words}"
    yield "by", Sheet(f"{title}, on {stage.name}; gap | teeth in mm", rows)


def _rows(studio: Studio, clip: Recording, start_s: float) -> list[Row]:
    """Return the real face on the first head, then the made one on each."""
    first = studio.stages[0]
    made = [
        _frames(stage, studio.perform(clip, stage), start_s, f"made, {stage.name}")
        for stage in studio.stages
    ]
    return [_frames(first, captured(clip, first), start_s, f"real, {first.name}"), *made]


def _frames(stage: Stage, shown: Shown, start_s: float, label: str) -> Row:
    times_s = [start_s + number * FRAME_S for number in range(FRAMES)]
    rows = [(time_s, round(time_s * ROW_RATE_HZ)) for time_s in times_s]
    cells = [
        stage.mouth_cell(shown, row, f"{time_s:.2f}s:")
        for time_s, row in rows
        if 0 <= row < len(shown.scores)
    ]
    return Row(label, cells)

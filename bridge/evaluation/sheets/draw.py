"""All contact sheets of the networks that are asked for, as PNG files in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.evaluation.measured_head import HeadInMm
from bridge.evaluation.sheets.angles import angle_sheets
from bridge.evaluation.sheets.canvas import png_of
from bridge.evaluation.sheets.emotions import effort_sheets, emotion_sheets
from bridge.evaluation.sheets.phones import phone_sheets
from bridge.evaluation.sheets.studio import Stage, Studio
from bridge.evaluation.sheets.words import by_sheets, stranger_sheets, word_sheets
from bridge.heads.library import OWN_ID
from models.evaluation.entrants import RULE, entrants_of
from models.evaluation.recordings import Folders, MissingDataError
from models.timing import DEFAULT_LOOKAHEAD_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bridge.evaluation.sheets.canvas import Sheet
    from models.evaluation.options import Request

SHEETS: dict[str, Callable[[Studio], Iterator[tuple[str, Sheet]]]] = {
    "emotions": emotion_sheets,
    "angles": angle_sheets,
    "phones": phone_sheets,
    "words": word_sheets,
    "by": by_sheets,
    "strangers": stranger_sheets,
    "effort": effort_sheets,
}
"""What makes each kind; the first two need no recordings but the bundled one."""


def draw_sheets(request: Request, head: HeadInMm, tell: Callable[[str], None]) -> None:
    """Draw all sheets into `request.sheets`, of several networks each into a folder of its name.

    Faces are shown on `head` and on our own, at the asked look-ahead that is nearest to the usual
    one. Each file, and each kind whose recordings are not there, is told in a line. UserError where
    a file cannot be written.
    """
    folder = request.sheets
    if folder is None:
        return
    stages = [Stage(head)]
    if head.name != OWN_ID:
        stages.append(Stage(HeadInMm.open(None)))
    nearest_ms = min(request.lookaheads_ms, key=lambda ms: abs(ms - DEFAULT_LOOKAHEAD_MS))
    networks = {
        entrant.maker.name: entrant.maker
        for entrant in reversed(entrants_of(request))
        if entrant.kind != RULE
    }
    for name, maker in networks.items():
        data = Folders(request.data, request.cache)
        studio = Studio(maker, nearest_ms, data, tuple(stages))
        _draw(studio, folder / name if len(networks) > 1 else folder, tell)


def _draw(studio: Studio, folder: Path, tell: Callable[[str], None]) -> None:
    for kind, sheets in SHEETS.items():
        try:
            for name, sheet in sheets(studio):
                path = folder / f"{name}.png"
                _write(path, png_of(sheet))
                tell(f"{path}: {sheet.title}")
        except MissingDataError as error:
            tell(f"{kind}: not drawn: {error}")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        what = f"cannot be written: {error.strerror or error}"
        raise UserError(Problem(str(path), what, "name another folder with --sheets")) from None

"""Draws all contact sheets of the requested networks as PNG files in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cstalk_bridge.evaluation.adapters import HeadInMm
from cstalk_bridge.evaluation.sheets.canvas import png_of
from cstalk_bridge.evaluation.sheets.faces import SheetContext, SheetHead
from cstalk_bridge.evaluation.sheets.kinds import (
    angle_sheets,
    by_sheets,
    effort_sheets,
    emotion_sheets,
    phone_sheets,
    stranger_sheets,
    word_sheets,
)
from cstalk_bridge.heads.library import OWN_ID
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.evaluation.candidates import RULE, open_candidates
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.timing import DEFAULT_LOOKAHEAD_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cstalk_bridge.evaluation.sheets.canvas import Sheet
    from cstalk_bridge.models.evaluation.request import EvaluationRequest


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

"""From takes to picture files: PNG, or one HTML page without external files.

On a page the figure is SVG with text that can be selected, and all warnings are in a table.
"""

from __future__ import annotations

import base64
import io
import math
import re
import warnings
from dataclasses import dataclass
from html import escape
from typing import IO, TYPE_CHECKING, Any

import matplotlib as mpl

from cstalk_bridge.audio.decoder import FORMATS
from cstalk_bridge.audio.inputs import AUDIO_SUFFIXES
from cstalk_bridge.document import nearest
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.plot.figure import MAX_TAKES, draw, time_text, warning_cells
from cstalk_bridge.plot.panels import FONT, THEMES, WIDTH
from cstalk_bridge.plot.study import examine
from cstalk_bridge.system.files import atomic_write, is_folder, is_there, name_key
from cstalk_bridge.takes.file import TAKE_SUFFIX, safe_name
from cstalk_bridge.takes.reader import is_take, load_take, take_stem_of, take_subjects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from cstalk_bridge.plot.measures import CurveWarnings
    from cstalk_bridge.plot.panels import Theme
    from cstalk_bridge.plot.study import Study
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.take import Take


MAX_SVG_BYTES = 1_000_000
"""A drawing larger than this becomes a PNG within the page."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The page may load nothing."""


def png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    file = io.BytesIO()
    _save(figure, file, format="png")
    return file.getvalue()


def svg(figure: Figure) -> str:
    """Return a figure as an SVG element, the same for the same figure."""
    file = io.StringIO()
    # Text stays text; identifiers do not change from one drawing to the next.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cstalk"}):
        _save(figure, file, format="svg", metadata={"Date": None})
    drawing = file.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub("<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    return drawing.replace(f"'{FONT}'", f"'{FONT}', Verdana, sans-serif")


def page(figure: Figure, studies: Sequence[Study], theme: Theme) -> str:
    """Return the document: the picture, and below it a table of all warnings."""
    title = " and ".join(escape(study.take.name) for study in studies)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>\n{style(theme)}</style>\n</head>\n<body>\n"
        f"{_picture(figure, title)}\n{''.join(_tables(studies))}</body>\n</html>\n"
    )


def _save(figure: Figure, file: IO[Any], **settings: Any) -> None:
    with warnings.catch_warnings():
        # A name in a script which the font lacks shows as boxes; that is no reason for a warning.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(file, **settings)


def _picture(figure: Figure, title: str) -> str:
    drawing = svg(figure)
    if len(drawing) <= MAX_SVG_BYTES:
        return drawing
    data = base64.b64encode(png(figure)).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{title}">'


def style(theme: Theme) -> str:
    """Return the style sheet of a page."""
    return (
        f"body {{ margin: 0 auto; max-width: {WIDTH}px; background: {theme.paper};"
        f" color: {theme.ink}; font: 16px '{FONT}', Verdana, sans-serif; }}\n"
        "svg, img { display: block; width: 100%; height: auto; }\n"
        "section { margin: 0 32px 32px; overflow-x: auto; }\n"
        "h2 { font-size: 18px; }\n"
        "td, th { padding: 3px 28px 3px 0; text-align: left; white-space: nowrap; }\n"
        f"th, td:last-child {{ color: {theme.soft}; font-weight: normal; }}\n"
        "td:first-child { font-variant-numeric: tabular-nums; }\n"
    )


def _tables(studies: Sequence[Study]) -> Iterator[str]:
    for study in studies:
        found = study.warnings
        if not found.kept:
            continue
        total = sum(found.counts.values())
        rest = total - len(found.kept)
        more = f" (the worst {len(found.kept)})" if rest else ""
        yield (
            f"<section>\n<h2>{total:,} warnings in {escape(study.take.name)}{more}</h2>\n<table>\n"
            "<tr><th>at</th><th>curve</th><th>kind</th><th>size</th><th>limit</th></tr>\n"
        )
        for warning in found.kept:
            cells = (time_text(warning.start_s), *warning_cells(warning))
            yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"
        yield "</table>\n</section>\n"


PICTURES = (".png", ".html")
"""What a picture may be."""


@dataclass(frozen=True, slots=True)
class PictureJob:
    """One picture: the takes on it, and the file."""

    inputs: tuple[Path, ...]
    output: Path


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a take: from `start_s` on, to `end_s` where given, the curves `wanted`."""

    rigmap: RigMap
    theme: str = "dark"
    start_s: float = 0.0
    end_s: float | None = None
    wanted: tuple[str, ...] = ()

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong before any take is read."""
        end_s = math.inf if self.end_s is None else self.end_s
        if not (0 <= self.start_s < end_s and math.isfinite(self.start_s)):
            what = f"from {self.start_s:g} s to {end_s:g} s is not a range of a take"
            yield Problem("--start, --end", what, "begin at 0 or later, and end after that")
        for name in self.wanted:
            if name not in self.rigmap.outputs:
                what = f"rig map {self.rigmap.name} has no curve `{name}`"
                yield Problem("--curves", what, nearest(name, self.rigmap.outputs))

    def rows(self, take: Take, where: str) -> slice:
        """Return the rows of a take that are shown; UserError where there are none."""
        first = round(self.start_s * take.rate.hz)
        end_s = take.duration_s if self.end_s is None else min(self.end_s, take.duration_s)
        last = min(round(end_s * take.rate.hz), take.rows)
        if first >= last:
            what = f"it ends before {self.start_s:g} s: it is {take.duration_s:g} s long"
            raise UserError(Problem(where, what, "choose an earlier --start or a later --end"))
        return slice(first, last)


def plan(inputs: Sequence[Path], output: Path | None, folder: Path) -> list[PictureJob]:
    """Return the pictures to make: one of up to two takes, else one for each.

    `output` is a file, a folder that is there, or None for `folder`. UserError with everything
    that is wrong about the names.
    """
    problems = [problem for path in inputs for problem in _input_problems(path)]
    is_file = output is not None and not is_folder(output)
    if output is not None and is_file:
        problems += _output_problems(output, len(inputs))
    if problems:
        raise UserError.of(problems)
    if output is not None and is_file:
        return [PictureJob(tuple(inputs), output)]
    groups = [tuple(inputs)] if len(inputs) <= MAX_TAKES else [(path,) for path in inputs]
    return list(_named(groups, output or folder))


def make_picture(job: PictureJob, view: View, load: Callable[[Path], Take]) -> list[CurveWarnings]:
    """Write one picture, over an older one, and return what was found in each take."""
    takes = [load(path) for path in job.inputs]
    studies = [
        examine(take, view.rigmap, view.rows(take, str(path)))
        for take, path in zip(takes, job.inputs, strict=True)
    ]
    theme = THEMES[view.theme]
    is_page = job.output.suffix.lower() == ".html"
    # A page lists all warnings in a table of its own.
    names = distinct_names([take.name for take in takes], job.inputs)
    figure = draw(
        studies, theme, view.rigmap.name, view.wanted, is_listing=not is_page, names=names
    )
    picture = page(figure, studies, theme).encode() if is_page else png(figure)
    with atomic_write(job.output, overwrite=True) as file:
        file.write(picture)
    return [study.warnings for study in studies]


def distinct_names(names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Return names of takes as they are where they differ, else with what their files differ in.

    That is the last of their folders, as many as needed, or else the files' own names.
    """
    folders = [path.absolute().parent.parts for path in paths]
    candidates = [
        [
            "/".join([*parts[len(parts) - depth :], name])
            for parts, name in zip(folders, names, strict=True)
        ]
        for depth in range(min(map(len, folders)))
    ]
    candidates.append([path.name for path in paths])
    differing = (found for found in candidates if len(set(found)) == len(found))
    return next(differing, list(names))


def is_recording(path: Path) -> bool:
    """Return whether a file is sound that has to become a take first."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def load_input(
    path: Path,
    generate: Callable[[Path], Take],
    subject: str | None = None,
    notice: Callable[[str], None] = lambda _text: None,
) -> Take:
    """Return the take of a file or folder; `generate` makes one of a recording.

    `subject` is that of recorded takes, by default the first. `notice` receives what the take
    lacks, and the names of several subjects. UserError.
    """
    if is_recording(path):
        return generate(path)
    take = load_take(path, subject)
    if subject is None and len(names := take_subjects(path)) > 1:
        notice(f"{path}: subjects {', '.join(names)}; {take.subject} is shown, --subject chooses")
    for text in take.notices:
        notice(f"{path}: {text}")
    return take


def _input_problems(path: Path) -> Iterator[Problem]:
    if not is_there(path):
        yield Problem(str(path), "no such file", "check the path")
    elif not is_take(path) and not is_recording(path):
        yield Problem(
            str(path),
            "neither a take nor a recording",
            f"name a {TAKE_SUFFIX}, the folder of a recorded take, or {FORMATS}",
        )


def _output_problems(output: Path, takes: int) -> Iterator[Problem]:
    if output.suffix.lower() not in PICTURES:
        what = "a picture ends in .png or .html"
        yield Problem(str(output), what, "change the ending, or name an existing folder")
    if takes > MAX_TAKES:
        what = f"one picture holds at most {MAX_TAKES} takes, {takes} are named"
        remedy = "name an existing folder, or leave -o out: each take gets its own picture"
        yield Problem(str(output), what, remedy)
    if not is_folder(output.parent):
        yield Problem(str(output), f"there is no folder {output.parent}", "make it first")


def _named(groups: Sequence[tuple[Path, ...]], folder: Path) -> Iterator[PictureJob]:
    """Name each picture after its takes; of equal names the later ones get a number."""
    taken: set[str] = set()
    for group in groups:
        stem = safe_name("_and_".join(map(take_stem_of, group)))
        name, count = stem, 1
        while name_key(name) in taken:
            count += 1
            name = f"{stem}-{count}"
        taken.add(name_key(name))
        yield PictureJob(group, folder / f"{name}{PICTURES[0]}")

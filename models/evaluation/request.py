"""The evaluation request and its command line.

`python -m cstalk_bridge.models.evaluation` and the program's own `evaluate` share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.models.evaluation.catalog import SUITES
from cstalk_bridge.models.timing import HOP_MS, MAX_LOOKAHEAD_MS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from cstalk_bridge.models.evaluation.multimodal import MeasuredHead, ProceduralAnimation


OFFLINE, STREAMED = "offline", "streamed"
WAYS = {OFFLINE: (OFFLINE,), STREAMED: (STREAMED,), "both": (OFFLINE, STREAMED)}
"""Whole recordings, or hop by hop as live, by the value of `--way`."""
PAGE_SUFFIXES = (".html", ".png")
OWN_HEAD = "own"
"""Names the head that comes with the program."""
ICT_HEAD = "heads/ict-head.glb"
"""Beside the data folder: a scanned head, the default where it exists."""
ALL_CLIPS = 100_000
DEFAULT_LOOKAHEADS = "20,60,80,120"


class EvaluationRequestError(UserError):
    """A request that cannot be carried out; `lines` hold place, problem and hint."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__(*(Problem("", line) for line in lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate, and where the results go.

    Without `weights` the shipped ones are used. `wav2vec` is the checkpoint folder of a teacher.
    `max_clips` limits the clips of each source. `head` is measured on in millimetres, `animation`
    adds procedural animation; without them the suites that need them are skipped. `sheets` is the
    folder of contact sheets; `suites` may be empty then.
    """

    weights: tuple[Path, ...]
    wav2vec: Path | None
    data: Path
    cache: Path
    lookaheads_ms: tuple[int, ...]
    suites: tuple[str, ...]
    max_clips: int
    ways: tuple[str, ...]
    has_baselines: bool
    json: Path | None
    page: Path | None
    sheets: Path | None = None
    head_file: Path | None = None
    head: MeasuredHead | None = None
    animation: ProceduralAnimation | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to `parser`; `parse_request` reads them."""
    add = parser.add_argument
    add(
        "--weights",
        metavar="FILE",
        nargs="+",
        default=[],
        help="Weights files (default: the shipped one).",
    )
    add("--wav2vec", metavar="FOLDER", help="Checkpoint of wav2vec 2.0 for weights of a teacher.")
    add(
        "--data",
        metavar="FOLDER",
        default="../shared/data",
        help="Folder of the data sets (default: %(default)s).",
    )
    add(
        "--cache",
        metavar="FOLDER",
        default="../cache",
        help="Folder of prepared data (default: %(default)s).",
    )
    _add_measurement_arguments(parser)
    _add_output_arguments(parser)


def _add_measurement_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--lookahead-ms",
        metavar="MS,...",
        default=DEFAULT_LOOKAHEADS,
        help="Look-aheads, multiples of 20 from 0 to 240 (default: %(default)s).",
    )
    add(
        "--suites",
        metavar="NAME,...",
        help=f"Suites to run (default: all, or none with --sheets): {', '.join(SUITES)}.",
    )
    add(
        "--max-clips",
        metavar="N",
        type=int,
        default=ALL_CLIPS,
        help="Clips of a source at most (default: all).",
    )
    add(
        "--way",
        choices=WAYS,
        default=OFFLINE,
        help="Generate clips whole, or hop by hop as live (default: %(default)s).",
    )
    add(
        "--baselines",
        action="store_true",
        help="Measure loudness, phone rules and PocketSphinx visemes too.",
    )
    add(
        "--head",
        metavar="FILE",
        help=f"Head to measure on, `{OWN_HEAD}` for the shipped one"
        f" (default: {ICT_HEAD} beside the data).",
    )


def _add_output_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--sheets", metavar="FOLDER", help="Draw contact sheets of phones, words and emotions.")
    add("--json", metavar="FILE", help="Write the results as JSON.")
    add("--page", metavar="FILE", help="Write plots to FILE.html or FILE.png.")


def parse_request(options: argparse.Namespace) -> EvaluationRequest:
    """Return the request; EvaluationRequestError names every fault of the arguments."""
    problems = list(_problems(options))
    if problems:
        raise EvaluationRequestError(tuple(problems))
    return EvaluationRequest(
        weights=tuple(Path(name) for name in options.weights),
        wav2vec=Path(options.wav2vec) if options.wav2vec else None,
        data=Path(options.data),
        cache=Path(options.cache),
        lookaheads_ms=tuple(dict.fromkeys(int(ms) for ms in _names_in(options.lookahead_ms))),
        suites=tuple(name for name in SUITES if name in _suites(options)),
        max_clips=options.max_clips,
        ways=WAYS[options.way],
        has_baselines=options.baselines,
        json=Path(options.json) if options.json else None,
        page=Path(options.page) if options.page else None,
        sheets=Path(options.sheets) if options.sheets else None,
        head_file=_head_file(options),
    )


def _suites(options: argparse.Namespace) -> list[str]:
    if options.suites is not None:
        return _names_in(options.suites)
    return [] if options.sheets else list(SUITES)


def _head_file(options: argparse.Namespace) -> Path | None:
    if options.head:
        return None if options.head == OWN_HEAD else Path(options.head)
    beside = Path(options.data).parent / ICT_HEAD
    return beside if beside.is_file() else None


def _names_in(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _is_lookahead(value: str) -> bool:
    return value.isdecimal() and int(value) <= MAX_LOOKAHEAD_MS and int(value) % HOP_MS == 0


def _problems(options: argparse.Namespace) -> Iterator[str]:
    for value in _names_in(options.lookahead_ms) or [""]:
        if not _is_lookahead(value):
            known = f"give multiples of {HOP_MS} ms from 0 to {MAX_LOOKAHEAD_MS}"
            yield f"--lookahead-ms: `{value}` is not a look-ahead; {known}"
    if unknown := [name for name in _suites(options) if name not in SUITES]:
        yield f"--suites: there is no {', '.join(unknown)}; choose from {', '.join(SUITES)}"
    elif not _suites(options) and not options.sheets:
        yield f"--suites: names no suite; choose from {', '.join(SUITES)}"
    if options.max_clips < 1:
        yield f"--max-clips: {options.max_clips} is too few clips; give 1 or more"
    yield from _file_problems(options)


def _file_problems(options: argparse.Namespace) -> Iterator[str]:
    if options.head and options.head != OWN_HEAD and not Path(options.head).is_file():
        yield f"--head: no such file: {options.head}; name a .glb or .vrm, or `{OWN_HEAD}`"
    if options.sheets and Path(options.sheets).is_file():
        yield f"--sheets: {options.sheets} is a file; name a folder"
    if options.page and Path(options.page).suffix.lower() not in PAGE_SUFFIXES:
        yield f"--page: {options.page} is neither .html nor .png; end its name in one of them"
    for flag, name in (("--json", options.json), ("--page", options.page)):
        if name and not Path(name).parent.is_dir():
            yield f"{flag}: no such folder: {Path(name).parent}; create it first"

"""The evaluation request and its command line.

`python -m cstalk_bridge.models.evaluation` and the program's own `evaluate` share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cstalk_bridge.models.timing import HOP_MS, MAX_LOOKAHEAD_MS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from cstalk_bridge.models.evaluation.multimodal import MeasuredHead, ProceduralAnimation


SUITES = (
    "strangers",
    "grid",
    "grid_mm",
    "articulation",
    "acted",
    "visemes",
    "facegood",
    "ravdess",
    "targets",
    "lips",
    "silence",
    "phones",
    "emotion",
    "joint",
    "alive",
    "mood",
    "speed",
)
"""All suites, in the order of the table; `cstalk_bridge.models.evaluation.run` has their
classes."""
OFFLINE, STREAMED = "offline", "streamed"
WAYS = {OFFLINE: (OFFLINE,), STREAMED: (STREAMED,), "both": (OFFLINE, STREAMED)}
"""Whole recordings, or hop by hop as live, by the words of `--way`."""
PAGE_SUFFIXES = (".html", ".png")
OWN_HEAD = "own"
"""Names the head that comes with the program."""
ICT_HEAD = "heads/ict-head.glb"
"""Beside the data folder: a scanned head, on which faces are measured where it is there."""
ALL_CLIPS = 100_000
DEFAULT_LOOKAHEADS = "20,60,80,120"


class EvaluationRequestError(Exception):
    """What cannot be done, one line each: where, what, remedy."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What is to be measured, and where its results go.

    No `weights`: the shipped ones. `wav2vec` is the checkpoint folder that teachers hear through.
    `head` is what faces are measured on in millimetres, `living` what lays life over them; None:
    nothing can. `sheets` is the folder of contact sheets; `suites` may be none then.
    """

    weights: tuple[Path, ...]
    wav2vec: Path | None
    data: Path
    cache: Path
    lookaheads_ms: tuple[int, ...]
    suites: tuple[str, ...]
    most: int
    ways: tuple[str, ...]
    has_baselines: bool
    json: Path | None
    page: Path | None
    sheets: Path | None = None
    head_file: Path | None = None
    head: MeasuredHead | None = None
    living: ProceduralAnimation | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words to `parser`; `request_of` understands them."""
    add = parser.add_argument
    add("--weights", metavar="FILE", nargs="+", default=[], help="weights files (the shipped one)")
    add("--wav2vec", metavar="FOLDER", help="checkpoint that a teacher's weights hear through")
    add("--data", metavar="FOLDER", default="../shared/data", help="recordings (%(default)s)")
    add("--cache", metavar="FOLDER", default="../cache", help="prepared data (%(default)s)")
    add(
        "--lookahead-ms",
        metavar="MS,...",
        default=DEFAULT_LOOKAHEADS,
        help="whole hops of 20 ms, 0 to 240 (%(default)s)",
    )
    add(
        "--suites",
        metavar="NAME,...",
        help=f"what to measure; none with --sheets, else all ({','.join(SUITES)})",
    )
    add("--most", metavar="N", type=int, default=ALL_CLIPS, help="clips of a source at most (all)")
    add("--way", choices=WAYS, default=OFFLINE, help="whole, or hop by hop as live (%(default)s)")
    add("--baselines", action="store_true", help="also loudness, phone rules, PocketSphinx visemes")
    add(
        "--head",
        metavar="FILE",
        help=f"to measure on; `{OWN_HEAD}` is ours ({ICT_HEAD} by the data)",
    )
    add("--sheets", metavar="FOLDER", help="draw contact sheets: phones, words, emotions, angles")
    add("--json", metavar="FILE", help="write the results")
    add("--page", metavar="FILE", help="write plots: FILE.html or FILE.png")


def parse_request(options: argparse.Namespace) -> EvaluationRequest:
    """Return what the words ask for; RefusalError with all that is wrong about them."""
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
        most=options.most,
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
    return [word.strip() for word in text.split(",") if word.strip()]


def _is_lookahead(word: str) -> bool:
    return word.isdecimal() and int(word) <= MAX_LOOKAHEAD_MS and int(word) % HOP_MS == 0


def _problems(options: argparse.Namespace) -> Iterator[str]:
    for word in _names_in(options.lookahead_ms) or [""]:
        if not _is_lookahead(word):
            known = f"give whole hops of {HOP_MS} ms, 0 to {MAX_LOOKAHEAD_MS}"
            yield f"--lookahead-ms: `{word}` is no look-ahead; {known}"
    if unknown := [word for word in _suites(options) if word not in SUITES]:
        yield f"--suites: there is no {', '.join(unknown)}; there are {', '.join(SUITES)}"
    elif not _suites(options) and not options.sheets:
        yield f"--suites: none is named; there are {', '.join(SUITES)}"
    if options.most < 1:
        yield f"--most: {options.most} clips are none; give 1 or more"
    yield from _file_problems(options)


def _file_problems(options: argparse.Namespace) -> Iterator[str]:
    if options.head and options.head != OWN_HEAD and not Path(options.head).is_file():
        yield f"--head: there is no file {options.head}; name a .glb or .vrm, or `{OWN_HEAD}`"
    if options.sheets and Path(options.sheets).is_file():
        yield f"--sheets: {options.sheets} is a file; name a folder"
    if options.page and Path(options.page).suffix.lower() not in PAGE_SUFFIXES:
        yield f"--page: {options.page} is no picture; end it in .html or .png"
    for word, name in (("--json", options.json), ("--page", options.page)):
        if name and not Path(name).parent.is_dir():
            yield f"{word}: there is no folder {Path(name).parent}; make it first"

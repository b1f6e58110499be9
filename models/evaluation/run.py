"""From a request to a table, a JSON file and a page."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from models.evaluation.entrants import entrants_of
from models.evaluation.options import RefusalError
from models.evaluation.recordings import Folders, MissingDataError
from models.evaluation.results import Results, Run
from models.evaluation.suites.acted import Acted
from models.evaluation.suites.alive import Alive
from models.evaluation.suites.articulation import Articulation
from models.evaluation.suites.emotion import Emotion
from models.evaluation.suites.facegood import Facegood
from models.evaluation.suites.grid import Grid
from models.evaluation.suites.joint import Joint
from models.evaluation.suites.lips import Lips, Silence
from models.evaluation.suites.mood import Mood
from models.evaluation.suites.people import grid_people, strangers_people
from models.evaluation.suites.phones import Phones
from models.evaluation.suites.ravdess import Ravdess
from models.evaluation.suites.speed import Speed
from models.evaluation.suites.targets import Targets
from models.evaluation.suites.visemes import Visemes
from models.evaluation.table import print_table
from models.timing import DEFAULT_LOOKAHEAD_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from models.evaluation.entrants import Entrant
    from models.evaluation.makers import Maker
    from models.evaluation.measures import Finding
    from models.evaluation.options import Request
    from models.evaluation.suites.suite import Suite

CLASSES: dict[str, Callable[[Folders, Request], Suite]] = {
    "strangers": lambda folders, request: strangers_people(folders, request.most, request.head),
    "grid": lambda folders, request: Grid(folders, request.most),
    "grid_mm": lambda folders, request: grid_people(folders, request.most, request.head),
    "articulation": lambda folders, request: Articulation(folders, request.most, request.head),
    "acted": lambda folders, request: Acted(folders, request.most, request.head),
    "visemes": lambda folders, request: Visemes(folders, request.most, request.head),
    "facegood": lambda folders, request: Facegood(folders, request.most),
    "ravdess": lambda folders, request: Ravdess(folders, request.most),
    "targets": lambda folders, request: Targets(folders, request.most),
    "lips": lambda folders, request: Lips(folders, request.most),
    "silence": lambda folders, request: Silence(folders, request.most),
    "phones": lambda folders, request: Phones(folders, request.most),
    "emotion": lambda folders, request: Emotion(folders, request.most),
    "joint": lambda folders, request: Joint(folders, request.most, request.living),
    "alive": lambda folders, request: Alive(folders, request.most, request.living),
    "mood": lambda folders, request: Mood(folders, request.most),
    "speed": lambda folders, request: Speed(folders, request.most),
}
"""By the names of `options.SUITES`."""


def evaluate(request: Request) -> Results:
    """Measure what is asked for, print the table, write the files.

    Raises WeightsError, or RefusalError where nothing at all can be measured. Of torch's threads
    one is used, so that speeds compare.
    """
    import torch

    torch.set_num_threads(1)
    entrants = entrants_of(request)
    found = measured(entrants, request)
    if not found.runs[0].findings and len(found.missing) == len(request.suites):
        raise RefusalError(tuple(f"{name}: {why}" for name, why in found.missing.items()))
    print_table(found)
    if request.json:
        _write(request.json, json.dumps(found.document(), indent=1).encode())
    if request.page:
        _write(request.page, _drawn(found, entrants, request, request.page.suffix.lower()))
    return found


def measured(entrants: Sequence[Entrant], request: Request) -> Results:
    """Run each suite over all entrants and look-aheads; its recordings are held only meanwhile."""
    folders = Folders(request.data, request.cache)
    findings: dict[tuple[int, int | None], dict[str, Finding]] = {}
    for number, entrant in enumerate(entrants):
        for lookahead_ms in request.lookaheads_ms if entrant.waits else (None,):
            findings[number, lookahead_ms] = {}
    titles, missing, source_of = {}, {}, {}
    for name in request.suites:
        try:
            suite = CLASSES[name](folders, request)
        except MissingDataError as error:
            missing[name] = str(error)
            continue
        titles[name], source_of[name] = suite.title, suite.source
        _measure(suite, name, entrants, request, findings)
    runs = tuple(
        Run(one.maker.name, one.kind, one.way, ms, one.sources, found, one.weights)
        for (n, ms), found in findings.items()
        for one in (entrants[n],)
    )
    return Results(runs, titles, missing, source_of)


def _measure(
    suite: Suite,
    name: str,
    entrants: Sequence[Entrant],
    request: Request,
    findings: Mapping[tuple[int, int | None], dict[str, Finding]],
) -> None:
    for (number, lookahead_ms), found in findings.items():
        first = (number, request.lookaheads_ms[0])
        if not suite.is_timed and lookahead_ms is not None and (number, lookahead_ms) != first:
            known = findings[first]
            found |= {key: one for key, one in known.items() if key.startswith(f"{name}.")}
            continue
        maker = entrants[number].maker
        words = maker.name if lookahead_ms is None else f"{maker.name}, {lookahead_ms} ms"
        print(f"{name}: {words}", file=sys.stderr, flush=True)
        found |= {one.key: one for one in suite.measure(maker, lookahead_ms or 0) if one.count}


def _drawn(found: Results, entrants: Sequence[Entrant], request: Request, kind: str) -> bytes:
    from models.evaluation.page import draw

    makers: dict[str, Maker] = {}
    for entrant in entrants:
        makers.setdefault(entrant.maker.name, entrant.maker)  # both ways give the same curves
    nearest_ms = min(request.lookaheads_ms, key=lambda ms: abs(ms - DEFAULT_LOOKAHEAD_MS))
    folders = Folders(request.data, request.cache)
    return draw(found, list(makers.values()), folders, nearest_ms, kind)


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)

"""From a request to a table, a JSON file and a page."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.evaluation.makers import NetworkMaker
from models.evaluation.options import SUITES, RefusalError
from models.evaluation.recordings import Folders, MissingDataError
from models.evaluation.results import Results, Run
from models.evaluation.rule_faces import LoudnessFace, PhoneRuleFace
from models.evaluation.suites.emotion import Emotion
from models.evaluation.suites.facegood import Facegood
from models.evaluation.suites.grid import Grid
from models.evaluation.suites.lips import Lips, Silence
from models.evaluation.suites.phones import Phones
from models.evaluation.suites.ravdess import Ravdess
from models.evaluation.suites.speed import Speed
from models.evaluation.suites.targets import Targets
from models.evaluation.table import print_table
from models.shipped import DEFAULT_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from models.evaluation.makers import Maker
    from models.evaluation.measures import Finding
    from models.evaluation.options import Request
    from models.evaluation.suites.suite import Suite

CLASSES: dict[str, Callable[[Folders, int], Suite]] = dict(
    zip(
        SUITES,
        (Grid, Facegood, Ravdess, Targets, Lips, Silence, Phones, Emotion, Speed),
        strict=True,
    )
)


@dataclass(frozen=True, slots=True)
class Entrant:
    """A maker and what is said of it. Without `waits`, look-ahead means nothing to it."""

    maker: Maker
    way: str
    sources: tuple[str, ...] = ()
    waits: bool = True


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
        from models.evaluation.page import draw

        folders = Folders(request.data, request.cache)
        makers = [entrant.maker for entrant in entrants]
        _write(request.page, draw(found, makers, folders, request.page.suffix.lower()))
    return found


def entrants_of(request: Request) -> list[Entrant]:
    """Open what is to be measured, one network after the other, then the rules."""
    way = "streamed" if request.is_streamed else "offline"
    opened = [
        NetworkMaker.open(path, streaming=request.is_streamed)
        for path in request.weights or (DEFAULT_PATH,)
    ]
    found = [Entrant(maker, way, maker.sources) for maker in opened]
    if request.has_baselines:
        found += [
            Entrant(maker, "offline", waits=False) for maker in (LoudnessFace(), PhoneRuleFace())
        ]
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
            suite = CLASSES[name](folders, request.most)
        except MissingDataError as error:
            missing[name] = str(error)
            continue
        titles[name], source_of[name] = suite.title, suite.source
        _measure(suite, name, entrants, request, findings)
    runs = tuple(
        Run(entrants[n].maker.name, entrants[n].way, ms, entrants[n].sources, found)
        for (n, ms), found in findings.items()
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


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)

"""From a request to a table, a JSON file and a page."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from cstalk_bridge.models.evaluation.candidates import open_candidates
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.evaluation.report import print_table
from cstalk_bridge.models.evaluation.request import EvaluationRequestError
from cstalk_bridge.models.evaluation.results import EvaluationRun, Results
from cstalk_bridge.models.evaluation.suites.acted import Acted
from cstalk_bridge.models.evaluation.suites.articulation import Articulation, Visemes
from cstalk_bridge.models.evaluation.suites.emotion import Emotion, Joint
from cstalk_bridge.models.evaluation.suites.known_faces import (
    Facegood,
    Grid,
    Ravdess,
    Targets,
    grid_people,
    strangers_people,
)
from cstalk_bridge.models.evaluation.suites.lips import Alive, Lips, Silence
from cstalk_bridge.models.evaluation.suites.network import Phones, Speed
from cstalk_bridge.models.evaluation.suites.speech_emotion import SpeechEmotion
from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.timing import DEFAULT_LOOKAHEAD_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cstalk_bridge.models.evaluation.candidates import Candidate
    from cstalk_bridge.models.evaluation.measures import Measurement, Suite
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.request import EvaluationRequest


SUITE_FACTORIES: dict[str, Callable[[Folders, EvaluationRequest], Suite]] = {
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
    "mood": lambda folders, request: SpeechEmotion(folders, request.most),
    "speed": lambda folders, request: Speed(folders, request.most),
}
"""By the names of `options.SUITES`."""


def evaluate(request: EvaluationRequest) -> Results:
    """Measure what is asked for, print the table, write the files.

    Raises WeightsError, or RefusalError where nothing at all can be measured. Of torch's threads
    one is used, so that speeds compare.
    """
    import torch

    torch.set_num_threads(1)
    entrants = open_candidates(request)
    found = measured(entrants, request)
    if not found.runs[0].findings and len(found.missing) == len(request.suites):
        raise EvaluationRequestError(tuple(f"{name}: {why}" for name, why in found.missing.items()))
    print_table(found)
    if request.json:
        write_file(request.json, json.dumps(found.document(), indent=1))
    if request.page:
        write_file(request.page, _drawn(found, entrants, request, request.page.suffix.lower()))
    return found


def measured(entrants: Sequence[Candidate], request: EvaluationRequest) -> Results:
    """Run each suite over all entrants and look-aheads; its recordings are held only meanwhile."""
    folders = Folders(request.data, request.cache)
    findings: dict[tuple[int, int | None], dict[str, Measurement]] = {}
    for number, entrant in enumerate(entrants):
        for lookahead_ms in request.lookaheads_ms if entrant.waits else (None,):
            findings[number, lookahead_ms] = {}
    titles, missing, source_of = {}, {}, {}
    for name in request.suites:
        try:
            suite = SUITE_FACTORIES[name](folders, request)
        except MissingDataError as error:
            missing[name] = str(error)
            continue
        titles[name], source_of[name] = suite.title, suite.source
        _measure(suite, name, entrants, request, findings)
    runs = tuple(
        EvaluationRun(one.maker.name, one.kind, one.way, ms, one.sources, found, one.weights)
        for (n, ms), found in findings.items()
        for one in (entrants[n],)
    )
    return Results(runs, titles, missing, source_of)


def _measure(
    suite: Suite,
    name: str,
    entrants: Sequence[Candidate],
    request: EvaluationRequest,
    findings: Mapping[tuple[int, int | None], dict[str, Measurement]],
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


def _drawn(
    found: Results, entrants: Sequence[Candidate], request: EvaluationRequest, kind: str
) -> bytes:
    from cstalk_bridge.models.evaluation.report import draw

    makers: dict[str, Predictor] = {}
    for entrant in entrants:
        makers.setdefault(entrant.maker.name, entrant.maker)  # both ways give the same curves
    nearest_ms = min(request.lookaheads_ms, key=lambda ms: abs(ms - DEFAULT_LOOKAHEAD_MS))
    folders = Folders(request.data, request.cache)
    return draw(found, list(makers.values()), folders, nearest_ms, kind)

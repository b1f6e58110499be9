"""Runs an evaluation request: measurements, the table, a JSON file and a page."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from cstalk_bridge.models.evaluation.candidates import open_candidates
from cstalk_bridge.models.evaluation.catalog import SUITES
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError
from cstalk_bridge.models.evaluation.report import print_table
from cstalk_bridge.models.evaluation.request import EvaluationRequestError
from cstalk_bridge.models.evaluation.results import EvaluationRun, Results
from cstalk_bridge.models.files import write_file
from cstalk_bridge.models.timing import DEFAULT_LOOKAHEAD_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cstalk_bridge.models.evaluation.candidates import Candidate
    from cstalk_bridge.models.evaluation.measures import Measurement, Suite
    from cstalk_bridge.models.evaluation.predictors import Predictor
    from cstalk_bridge.models.evaluation.request import EvaluationRequest


def evaluate(request: EvaluationRequest) -> Results:
    """Run the suites of a request, print the table and write the files.

    Raises WeightsError, or EvaluationRequestError where nothing at all can be measured. torch uses
    one thread, so that speeds can be compared.
    """
    import torch

    torch.set_num_threads(1)
    candidates = open_candidates(request)
    found = measured(candidates, request)
    if not found.runs[0].findings and len(found.missing) == len(request.suites):
        raise EvaluationRequestError(tuple(f"{name}: {why}" for name, why in found.missing.items()))
    print_table(found)
    if request.json:
        write_file(request.json, json.dumps(found.document(), indent=1))
    if request.page:
        write_file(request.page, _drawn(found, candidates, request, request.page.suffix.lower()))
    return found


def open_suite(name: str, folders: Folders, request: EvaluationRequest) -> Suite:
    """Load the recordings of a suite; MissingDataError where there are none."""
    entry = SUITES[name]
    needed = (getattr(request, entry.needs),) if entry.needs else ()
    return entry.create()(folders, request.max_clips, *needed)


def measured(candidates: Sequence[Candidate], request: EvaluationRequest) -> Results:
    """Run each suite on all candidates and look-aheads; recordings are held one suite at a time."""
    folders = Folders(request.data, request.cache)
    findings: dict[tuple[int, int | None], dict[str, Measurement]] = {}
    for number, candidate in enumerate(candidates):
        for lookahead_ms in request.lookaheads_ms if candidate.has_lookahead else (None,):
            findings[number, lookahead_ms] = {}
    titles, missing, source_of = {}, {}, {}
    for name in request.suites:
        try:
            suite = open_suite(name, folders, request)
        except MissingDataError as error:
            missing[name] = str(error)
            continue
        titles[name], source_of[name] = suite.title, suite.source
        _measure(suite, name, candidates, request, findings)
    runs = tuple(
        EvaluationRun(one.predictor.name, one.kind, one.way, ms, one.sources, found, one.weights)
        for (n, ms), found in findings.items()
        for one in (candidates[n],)
    )
    return Results(runs, titles, missing, source_of)


def _measure(
    suite: Suite,
    name: str,
    candidates: Sequence[Candidate],
    request: EvaluationRequest,
    findings: Mapping[tuple[int, int | None], dict[str, Measurement]],
) -> None:
    for (number, lookahead_ms), found in findings.items():
        first = (number, request.lookaheads_ms[0])
        if not suite.is_timed and lookahead_ms is not None and (number, lookahead_ms) != first:
            known = findings[first]
            found |= {key: one for key, one in known.items() if key.startswith(f"{name}.")}
            continue
        predictor = candidates[number].predictor
        label = predictor.name if lookahead_ms is None else f"{predictor.name}, {lookahead_ms} ms"
        print(f"{name}: {label}", file=sys.stderr, flush=True)
        found |= {one.key: one for one in suite.measure(predictor, lookahead_ms or 0) if one.count}


def _drawn(
    found: Results, candidates: Sequence[Candidate], request: EvaluationRequest, kind: str
) -> bytes:
    from cstalk_bridge.models.evaluation.report import draw

    predictors: dict[str, Predictor] = {}
    for candidate in candidates:
        predictors.setdefault(
            candidate.predictor.name, candidate.predictor
        )  # both ways give the same curves
    nearest_ms = min(request.lookaheads_ms, key=lambda ms: abs(ms - DEFAULT_LOOKAHEAD_MS))
    folders = Folders(request.data, request.cache)
    return draw(found, list(predictors.values()), folders, nearest_ms, kind)

"""One render, from the words of the command line to the folder of outputs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from bridge.clock.host import host_now
from bridge.errors import Problem, UserError
from bridge.export.formats import FORMATS
from bridge.network import check_guards, load_network
from bridge.render.books import Books
from bridge.render.inputs import find_inputs
from bridge.render.jobs import make_jobs
from bridge.render.manifest import Entry, Manifest, State
from bridge.render.pipeline import Renderer
from bridge.render.settings import make_outlets, outlets_of
from bridge.render.tally import Tally
from bridge.render.weights import weights_hash
from bridge.render.writing import remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from bridge.render.jobs import Job
    from bridge.render.settings import Outlet, RenderSettings
    from models.generator import Generator

    Watch = Callable[[Tally], AbstractContextManager[object]]


def render(
    words: Sequence[str],
    out: Path,
    settings: RenderSettings,
    *,
    watch: Watch = nullcontext,
    load: Callable[[Path | None, str], Generator] = load_network,
) -> Tally:
    """Render what the words name into `out` and return what became of it.

    What an earlier run finished is left alone. `watch` is entered with the tally while the work
    goes on; `load` gives the network once it is needed. UserError for what concerns all inputs:
    none found, two of one name, settings, weights, the folder.
    """
    inputs = find_inputs(words, out)
    jobs, problems = make_jobs(inputs.found, settings.formats, settings.shard)
    problems = [*inputs.problems, *problems]
    if not inputs.found:
        raise UserError.of(problems or [Problem("render", "no input is named", "name a recording")])
    _make_folder(out)
    outlets = make_outlets(settings, weights_hash(settings))
    with Manifest(out, settings.shard) as manifest:
        remove_leftovers(jobs, outlets, out)
        todo = [job for job in jobs if settings.is_forced or not _is_done(job, manifest, outlets)]
        tally = Tally(len(todo), sum(job.size for job in todo), host_now(), len(jobs) - len(todo))
        tally.left_out = len(inputs.left_out)
        tally.notices += filter(None, [inputs.notice])
        for problem in problems:
            tally.fail(problem.where, (problem,))
        fit = [job for job in todo if _is_fit(job, manifest, outlets, settings, tally)]
        if fit:
            generator = load(settings.weights, settings.device)
            check_guards(generator, {"--mouth-guard": settings.mouth_guard})
            tally.start_s = host_now()
            with watch(tally):
                Renderer(generator, settings, outlets, out, Books(manifest, tally)).render(fit)
        tally.end_s = host_now()
    return tally


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(Problem(str(out), f"cannot be made: {error.strerror}")) from None


def _is_done(job: Job, manifest: Manifest, outlets: Sequence[Outlet]) -> bool:
    wanted = outlets_of(job, outlets)
    return bool(wanted) and manifest.is_finished(job, wanted)


def _is_fit(
    job: Job, manifest: Manifest, outlets: Sequence[Outlet], settings: RenderSettings, tally: Tally
) -> bool:
    """Whether a job can be done; note why not."""
    wanted = outlets_of(job, outlets)
    problems = []
    if not wanted:
        others = ", ".join(name for name in FORMATS if name != "take")
        problems.append(Problem(str(job.source), "it is a take already", f"ask for {others}"))
    if not settings.overwrite:
        problems += [
            Problem(str(path), "is there already, and no render made it", "use --overwrite")
            for path in manifest.foreign(job, wanted)
        ]
    if problems:
        manifest.append(Entry.of(job, State.FAILED, problems=tuple(map(str, problems))))
        tally.drop(job)
        tally.fail(str(job.source), tuple(problems))
    return not problems

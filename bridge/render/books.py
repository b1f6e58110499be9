"""What is noted of each input: in the manifest for later runs, in the tally for the people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import Problem, UserError
from bridge.render.manifest import Entry, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.render.jobs import Job
    from bridge.render.manifest import Manifest
    from bridge.render.settings import Outlet
    from bridge.render.tally import Tally


@dataclass(frozen=True, slots=True)
class Books:
    """Manifest and tally, kept by one thread."""

    manifest: Manifest
    tally: Tally

    def begin(self, job: Job, outlets: Sequence[Outlet]) -> None:
        """Note that the outputs of an input are being written."""
        begun = {str(job.output(outlet.form)): "" for outlet in outlets}
        self.manifest.append(Entry.of(job, State.BEGUN, outputs=begun))

    def finish(self, job: Job, duration_s: float, outputs: Mapping[str, str]) -> None:
        """Note that all outputs of an input are there."""
        self.manifest.append(Entry.of(job, State.DONE, outputs=outputs))
        self.tally.finish(job, duration_s)

    def fail(self, job: Job, error: Exception) -> None:
        """Note why an input failed; what is no UserError is a fault of ours."""
        if isinstance(error, UserError):
            problems = error.problems
        else:
            what = f"a fault of the program: {type(error).__name__}: {error}"
            problems = (Problem(str(job.source), what),)
        self.manifest.append(Entry.of(job, State.FAILED, problems=tuple(map(str, problems))))
        self.tally.fail(str(job.source), problems)

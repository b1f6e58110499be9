from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.render.inputs import find_inputs
from cstalk_bridge.takes.render.jobs import (
    Job,
    RenderConfig,
    Shard,
    create_output_formats,
    make_jobs,
)
from cstalk_bridge.takes.render.progress import JobState, Manifest, ManifestEntry, output_record

if TYPE_CHECKING:
    from pathlib import Path


SETTINGS = RenderConfig(formats=(FORMATS["json"],))
OUTPUT_FORMATS = create_output_formats(SETTINGS, "weights")
(OUTLET,) = OUTPUT_FORMATS


def job_of(tmp_path: Path, name: str = "grüße \udcff.wav") -> Job:
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "in" / name).write_bytes(b"RIFF")
    found = find_inputs([str(tmp_path / "in")], tmp_path / "out").found
    jobs, _ = make_jobs(found, SETTINGS.formats, Shard())
    return jobs[0]


def write_output(job: Job, out: Path, text: str = "12345") -> dict[str, str]:
    place = job.output(OUTLET.form)
    (out / place).write_text(text)
    return {str(place): output_record(len(text), OUTLET.fingerprint)}


def test_the_next_run_knows_what_is_finished(tmp_path: Path) -> None:
    job, out = job_of(tmp_path), tmp_path / "out"
    with Manifest(out, Shard()) as manifest:
        assert not manifest.is_finished(job, OUTPUT_FORMATS)
        manifest.append(ManifestEntry.of(job, JobState.DONE, outputs=write_output(job, out)))
    assert Manifest(out, Shard()).is_finished(job, OUTPUT_FORMATS)
    assert Manifest(out, Shard(2, 3)).is_finished(job, OUTPUT_FORMATS)
    other = replace(OUTLET, fingerprint=f"{OUTLET.fingerprint}0")
    assert not Manifest(out, Shard()).is_finished(job, (other,))
    write_output(job, out, "another length")
    assert not Manifest(out, Shard()).is_finished(job, OUTPUT_FORMATS)


def test_a_started_or_failed_output_is_not_finished(tmp_path: Path) -> None:
    job, out = job_of(tmp_path), tmp_path / "out"
    outputs = write_output(job, out)
    for state in (JobState.BEGUN, JobState.FAILED):
        with Manifest(out, Shard()) as manifest:
            manifest.append(ManifestEntry.of(job, JobState.DONE, outputs=outputs))
            manifest.append(ManifestEntry.of(job, state, outputs=outputs))
        assert not Manifest(out, Shard()).is_finished(job, OUTPUT_FORMATS)


def test_a_truncated_last_line_affects_only_itself(tmp_path: Path) -> None:
    job, out = job_of(tmp_path), tmp_path / "out"
    with Manifest(out, Shard()) as manifest:
        manifest.append(ManifestEntry.of(job, JobState.DONE, outputs=write_output(job, out)))
        path = manifest.path
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    assert Manifest(out, Shard()).is_finished(job, OUTPUT_FORMATS)
    other = job_of(tmp_path, "a.wav")
    with Manifest(out, Shard()) as manifest:
        manifest.append(ManifestEntry.of(other, JobState.DONE, outputs=write_output(other, out)))
    again = Manifest(out, Shard())
    assert again.is_finished(job, OUTPUT_FORMATS)
    assert again.is_finished(other, OUTPUT_FORMATS)


def test_foreign_lines_are_skipped(tmp_path: Path) -> None:
    job, out = job_of(tmp_path), tmp_path / "out"
    (out / "render.jsonl").write_bytes(b'[]\n{"state": "done"}\n\xff\n' + b"x" * (1 << 21) + b"\n")
    with Manifest(out, Shard()) as manifest:
        manifest.append(ManifestEntry.of(job, JobState.DONE, outputs=write_output(job, out)))
    assert Manifest(out, Shard()).is_finished(job, OUTPUT_FORMATS)


JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
VALUES = JUNK | st.lists(JUNK, max_size=3) | st.dictionaries(st.text(max_size=3), JUNK, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {"state": st.sampled_from(["done", "begun", "failed", "x"])},
        optional=dict.fromkeys(["place", "source", "stamp", "outputs", "problems"], VALUES),
    )
)
def test_lines_of_any_shape_are_skipped(tmp_path: Path, line: dict[str, object]) -> None:
    job, out = job_of(tmp_path), tmp_path / "out"
    whole = {"place": str(job.place), "source": "x", "stamp": job.stamp, **line}
    (out / "render.jsonl").write_bytes(json.dumps(whole).encode() + b"\n" + b"[" * 100_000)
    manifest = Manifest(out, Shard())
    assert not manifest.is_finished(job, OUTPUT_FORMATS)
    manifest.foreign(job, OUTPUT_FORMATS)


def test_files_that_no_render_made_are_foreign(tmp_path: Path) -> None:
    job, out = job_of(tmp_path), tmp_path / "out"
    outputs = write_output(job, out)
    with Manifest(out, Shard()) as manifest:
        assert manifest.foreign(job, OUTPUT_FORMATS) == [out / place for place in outputs]
        manifest.append(ManifestEntry.of(job, JobState.BEGUN, outputs=dict.fromkeys(outputs, "")))
        manifest.append(ManifestEntry.of(job, JobState.FAILED, problems=("disk full",)))
    assert Manifest(out, Shard()).foreign(job, OUTPUT_FORMATS) == []

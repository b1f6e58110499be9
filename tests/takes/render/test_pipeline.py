"""Complete renders of real files with the real network."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from cstalk_bridge.face.emotion_trajectory import EmotionTrajectory
from cstalk_bridge.face.procedural.animation import NO_ANIMATION_LEVELS
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.files import PARTIAL_SUFFIX
from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.export.tables import ExportConfig
from cstalk_bridge.takes.reader import load_take
from cstalk_bridge.takes.render.inputs import find_inputs
from cstalk_bridge.takes.render.jobs import RenderConfig, Shard
from cstalk_bridge.takes.render.pipeline import LocalEngine, render
from cstalk_bridge.takes.sound import network_input, open_sound
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.networks import GUARDED, UNGUARDED, small_generator
from tests.takes.recording.harness import recorded
from tests.takes.render.recordings import speech, write_speech
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.takes.render.progress import RenderProgress


TAKE = RenderConfig(formats=(FORMATS["take"],), levels=NO_ANIMATION_LEVELS, device="cpu")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def run(generator: Generator, tmp_path: Path) -> Any:
    """Return a function that renders its arguments to `tmp_path/out`."""

    def run(*paths: Path | str, settings: RenderConfig = TAKE) -> Any:
        return render(
            [str(path) for path in paths],
            tmp_path / "out",
            settings,
            engine=LocalEngine(lambda *_: generator),
        )

    return run


def outputs(out: Path) -> set[str]:
    return {
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if path.is_file() and path.suffix != ".jsonl"
    }


def whole_face(generator: Generator, path: Path, emotion: dict[str, float]) -> Any:
    """Return the face of a recording, made in one pass over all of it."""
    sound = np.concatenate([*network_input(open_sound(path))])
    return generator.generate(sound, 16_000, emotion)


def test_a_folder_becomes_the_same_tree_of_takes(
    run: Any, generator: Generator, tmp_path: Path
) -> None:
    path = write_speech(tmp_path / "in/act 1/hello_1.wav", 2.0)
    progress = run(tmp_path / "in", settings=RenderConfig(levels=NO_ANIMATION_LEVELS, device="cpu"))
    assert (progress.done, progress.failures) == (1, [])
    out = tmp_path / "out"
    assert outputs(out) == {"act 1/hello_1.take", "act 1/hello_1_take_1_CSTalk_cal.csv"}
    take = load_take(out / "act 1/hello_1.take")
    np.testing.assert_allclose(take.board, whole_face(generator, path, {}), atol=1e-4)
    assert take.slate == "hello_1"
    assert take.sound is not None
    np.testing.assert_allclose(
        take.sound.read(0, 10**6), soundfile.read(path, dtype="float32")[0], atol=1e-4
    )
    lines = list(csv.reader((out / "act 1/hello_1_take_1_CSTalk_cal.csv").read_text().splitlines()))
    assert len(lines) == 1 + 120


def test_a_long_recording_equals_one_pass_over_all_of_it(
    run: Any, generator: Generator, tmp_path: Path
) -> None:
    emotions = EmotionTrajectory.constant({"happy": 1.0})
    path = write_speech(tmp_path / "long.wav", 130.0)
    run(path, settings=replace(TAKE, emotions=emotions))
    take = load_take(tmp_path / "out/long.take")
    np.testing.assert_allclose(take.board, whole_face(generator, path, {"happy": 1.0}), atol=1e-4)


def test_finished_outputs_are_kept_until_something_changes(run: Any, tmp_path: Path) -> None:
    first = write_speech(tmp_path / "in/a.wav")
    write_speech(tmp_path / "in/b.wav")
    folder = tmp_path / "in"
    run(folder)
    assert (run(folder).done, run(folder).skipped) == (0, 2)
    write_speech(first, turn=3)
    assert run(folder).done == 1
    (tmp_path / "out/b.take").unlink()
    assert run(folder).done == 1
    (tmp_path / "out/a.take").write_bytes(b"short")
    assert run(folder).done == 1
    assert run(folder, settings=replace(TAKE, lookahead_ms=160)).done == 2
    assert run(folder, settings=replace(TAKE, lookahead_ms=160, is_forced=True)).done == 2


def test_a_mouth_guard_shapes_the_takes_and_a_change_renders_them_anew(tmp_path: Path) -> None:
    path, out = write_speech(tmp_path / "a.wav"), tmp_path / "out"
    generator, happy = small_generator(GUARDED), EmotionTrajectory.constant({"happy": 1.0})

    def rendered(mouth_guard: float) -> tuple[Any, Any]:
        settings = replace(TAKE, emotions=happy, mouth_guard=mouth_guard)
        engine = LocalEngine(lambda *_: generator)
        assert render([str(path)], out, settings, engine=engine).done == 1
        # Not the take itself, which keeps its file open: Windows then lets nobody replace it.
        take = load_take(out / "a.take")
        return take.provenance["mouth_guard"], take.board

    (low, low_board), (high, high_board) = rendered(0.0), rendered(1.0)
    assert (low, high) == (0.0, 1.0)
    assert np.abs(low_board - high_board).max() > 1e-2


def test_a_mouth_guard_unknown_to_the_weights_ends_the_render(tmp_path: Path) -> None:
    path, generator = write_speech(tmp_path / "a.wav"), small_generator(UNGUARDED)
    settings = replace(TAKE, mouth_guard=0.2)
    with pytest.raises(UserError, match=r"--mouth-guard.*trained without"):
        render([str(path)], tmp_path / "out", settings, engine=LocalEngine(lambda *_: generator))


def test_another_format_or_rate_renders_only_what_is_necessary(run: Any, tmp_path: Path) -> None:
    write_speech(tmp_path / "a.wav")
    both = replace(TAKE, formats=(FORMATS["take"], FORMATS["csv"]))
    run(tmp_path / "a.wav")
    assert run(tmp_path / "a.wav", settings=both).done == 1
    assert run(tmp_path / "a.wav").done == 0
    slow = ExportConfig(rate=FRAME_RATES["30"])
    assert run(tmp_path / "a.wav", settings=replace(TAKE, export=slow)).done == 0
    assert run(tmp_path / "a.wav", settings=replace(both, export=slow)).done == 1


def test_an_input_take_is_only_converted(run: Any, tmp_path: Path) -> None:
    write_speech(tmp_path / "a.wav")
    run(tmp_path / "a.wav")
    take = tmp_path / "out/a.take"
    json_only = replace(TAKE, formats=(FORMATS["take"], FORMATS["json"]))
    assert run(take, settings=json_only).done == 1
    assert len(json.loads((tmp_path / "out/a.json").read_text())["frames"]) == 18
    assert "already is a take" in str(run(take).failures[0][1][0])


CONVERSION = """
import sys
from pathlib import Path
from cstalk_bridge.takes.export.formats import FORMATS
from cstalk_bridge.takes.render.jobs import RenderConfig
from cstalk_bridge.takes.render.pipeline import render

take, out, weights = map(Path, sys.argv[1:])
formats = tuple(FORMATS[name] for name in FORMATS if name != "usdc")
progress = render([str(take)], out, RenderConfig(formats=formats, weights=weights))
assert not progress.failures, progress.failures
print(*{"onnxruntime", "onnx", "torch"}.intersection(sys.modules))
"""
"""Prints which engines of networks it has imported, in a process of its own."""


def test_a_recorded_take_is_converted_without_network_and_weights(tmp_path: Path) -> None:
    folder, out = recorded(tmp_path / "takes"), tmp_path / "out"
    arguments = [str(folder), str(out), str(tmp_path / "missing.safetensors")]
    done = subprocess.run(
        [sys.executable, "-c", CONVERSION, *arguments], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ""
    assert len(list(out.glob(f"{folder.name}*"))) >= 4


def test_other_weights_convert_no_take_again(run: Any, tmp_path: Path) -> None:
    folder = recorded(tmp_path / "takes")
    assert run(folder).done == 1
    other = replace(TAKE, weights=tmp_path / "other.safetensors", lookahead_ms=20.0)
    assert run(folder, settings=other).done == 0


def test_a_sidecar_changes_the_face(run: Any, tmp_path: Path) -> None:
    for name in ("plain", "happy", "later"):
        write_speech(tmp_path / f"in/{name}.wav", 2.0)
    (tmp_path / "in/happy.emotion.yaml").write_text("- {at_s: 0, emotion: happy, over_s: 0}\n")
    (tmp_path / "in/later.emotion.csv").write_text("at_s,emotion,over_s\n1.5,happy:1.0,0\n")
    run(tmp_path / "in")
    plain, happy, later = (
        load_take(tmp_path / f"out/{name}.take").board for name in ("plain", "happy", "later")
    )
    assert np.abs(happy - plain).max() > 0.05
    np.testing.assert_allclose(later[:70], plain[:70], atol=1e-4)
    assert np.abs(later[80:] - plain[80:]).max() > 0.05
    (tmp_path / "in/happy.emotion.yaml").write_text("- {at_s: 0, emotion: sad, over_s: 0}\n")
    assert run(tmp_path / "in").done == 1


def test_bad_inputs_are_listed_and_do_not_stop_the_others(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_speech(folder / "good.wav")
    (folder / "corrupt.wav").write_bytes(b"RIFF\x00\x00nonsense")
    soundfile.write(folder / "empty.wav", np.zeros(0, np.float32), 16_000)
    soundfile.write(folder / "slow.wav", np.zeros(4000, np.float32), 4000)
    write_speech(folder / "moody.wav")
    (folder / "moody.emotion.yaml").write_text("- {at_s: 0, emotion: cheerful}\n")
    progress = run(folder)
    assert progress.done == 1
    failures = {Path(source).name: str(problems[0]) for source, problems in progress.failures}
    assert sorted(failures) == ["corrupt.wav", "empty.wav", "moody.wav", "slow.wav"]
    assert "damaged or no audio file" in failures["corrupt.wav"]
    assert "contains no audio" in failures["empty.wav"]
    assert "no emotion 'cheerful'" in failures["moody.wav"]
    assert outputs(tmp_path / "out") == {"good.take"}
    manifest = (tmp_path / "out/render.jsonl").read_text("utf-8")
    entries = [json.loads(line) for line in manifest.splitlines()]
    assert {e["place"] for e in entries if e["state"] == "failed"} == {
        "corrupt",
        "empty",
        "moody",
        "slow",
    }


def test_a_long_damaged_recording_does_not_stop_the_others(run: Any, tmp_path: Path) -> None:
    path = write_speech(tmp_path / "in/long.flac", 150.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    write_speech(tmp_path / "in/short.wav")
    progress = run(tmp_path / "in")
    assert progress.done == 1
    ((source, problems),) = progress.failures
    assert source.endswith("long.flac")
    assert "truncated" in problems[0].what
    assert outputs(tmp_path / "out") == {"short.take"}


def test_every_format_can_be_rendered(run: Any, tmp_path: Path) -> None:
    write_speech(tmp_path / "a.wav")
    run(tmp_path / "a.wav", settings=replace(TAKE, formats=tuple(FORMATS.values())))
    made = outputs(tmp_path / "out")
    assert made == {"a.wav", *(form.name("a") for form in FORMATS.values())}
    assert all((tmp_path / "out" / name).stat().st_size > 1000 for name in made)


def test_unusual_sounds_are_rendered(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    samples, rate_hz = speech()
    wide = np.repeat(samples[: 2 * rate_hz, None], 8, axis=1)
    soundfile.write(folder / "eight channels.wav", wide, rate_hz)
    soundfile.write(folder / "192 kHz.wav", np.repeat(samples[: 2 * rate_hz], 8), 192_000)
    soundfile.write(folder / "silent.wav", np.zeros(32_000, np.float32), 16_000)
    soundfile.write(folder / "one sample.wav", np.zeros(1, np.float32), 16_000)
    progress = run(folder)
    assert (progress.done, progress.failures) == (4, [])
    boards = {p.stem: load_take(p).board for p in (tmp_path / "out").glob("*.take")}
    np.testing.assert_allclose(boards["eight channels"], boards["192 kHz"], atol=0.1)
    assert np.ptp(boards["eight channels"]) > 0.3
    assert boards["silent"].shape == (100, 81)
    assert len(boards["one sample"]) == 1


def test_foreign_files_are_not_replaced(run: Any, tmp_path: Path) -> None:
    write_speech(tmp_path / "a.wav")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.take").write_text("mine")
    for _ in range(2):
        assert "not from a render" in str(run(tmp_path / "a.wav").failures[0][1][0])
        assert (tmp_path / "out/a.take").read_text() == "mine"
    assert run(tmp_path / "a.wav", settings=replace(TAKE, overwrite=True)).done == 1
    assert load_take(tmp_path / "out/a.take").rows == 15


def test_nothing_is_written_outside_of_the_folder(run: Any, tmp_path: Path) -> None:
    write_speech(tmp_path / "in/sub/a.wav")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert "leads outside of" in str(run(tmp_path / "in").failures[0][1][0])
    assert not list((tmp_path / "elsewhere").iterdir())
    (tmp_path / "out/sub").unlink()
    write_speech(tmp_path / "x.wav")
    assert run(tmp_path / "in" / ".." / "x.wav").done == 1
    assert outputs(tmp_path / "out") == {"x.take"}


def test_shards_share_a_folder(run: Any, tmp_path: Path) -> None:
    for number in range(12):
        write_speech(tmp_path / f"in/{number}.wav", turn=number)
    done = [run(tmp_path / "in", settings=replace(TAKE, shard=Shard(i, 3))).done for i in (1, 2, 3)]
    assert sum(done) == 12
    assert len(outputs(tmp_path / "out")) == 12
    assert (run(tmp_path / "in").skipped, len(list((tmp_path / "out").glob("*.jsonl")))) == (12, 4)


def test_a_render_without_inputs_is_refused(run: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        run(tmp_path / "no.wav")


def test_inputs_of_one_output_fail_and_the_rest_is_rendered(run: Any, tmp_path: Path) -> None:
    write_speech(tmp_path / "in/line.wav")
    write_speech(tmp_path / "in/line.mp3")
    write_speech(tmp_path / "in/other.wav")
    (tmp_path / "in/notes.txt").write_text("x")
    progress = run(tmp_path / "in")
    assert outputs(tmp_path / "out") == {"other.take"}
    assert sorted(Path(source).name for source, _ in progress.failures) == ["line.mp3", "line.wav"]
    assert "1 rendered, 2 failed, 1 ignored" in progress.summary()
    (notice,) = progress.notices
    assert notice.endswith("notes.txt")


@pytest.mark.parametrize("seconds", [4.0, 64.0])
def test_an_incomplete_take_is_not_reported_as_rendered(
    run: Any, tmp_path: Path, seconds: float
) -> None:
    """A truncated file gives less sound than it promises."""
    for name in ("one.wav", "two.flac", "three.mp3"):
        data = write_speech(tmp_path / "in" / name, seconds).read_bytes()
        (tmp_path / "in" / name).write_bytes(data[: len(data) // 2])
    write_speech(tmp_path / "in/whole.wav")
    progress = run(tmp_path / "in")
    assert outputs(tmp_path / "out") == {"whole.take"}
    assert (progress.done, len(progress.failures)) == (1, 3)
    for _, (problem,) in progress.failures:
        assert "truncated at" in problem.what


def test_the_requested_channel_is_rendered_and_an_automatic_choice_is_reported(
    run: Any, tmp_path: Path
) -> None:
    samples, rate_hz = speech()
    voice = samples[: 2 * rate_hz]
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([voice, -voice], axis=1), rate_hz)
    progress = run(path)
    assert "cancel each other" in progress.notices[0]
    alone = load_take(tmp_path / "out/two.take").board
    assert np.abs(alone).max() > 0.1
    assert run(path, settings=replace(TAKE, channel=1)).notices == []
    assert (load_take(tmp_path / "out/two.take").board == alone).all()
    run(path, settings=replace(TAKE, channel="all"))
    mixed = load_take(tmp_path / "out/two.take")
    assert mixed.sound is not None
    assert not mixed.sound.read(0, mixed.sound.frames).any()


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl+C there")
def test_ctrl_c_leaves_no_partial_file(generator: Generator, tmp_path: Path) -> None:
    path = write_speech(tmp_path / "long.wav", 600.0)

    @contextmanager
    def interrupt(progress: RenderProgress) -> Iterator[None]:
        def wait() -> None:
            wait_until(lambda: progress.bytes_done, interval_s=0.001)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=wait)
        thread.start()
        yield
        thread.join()

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        render([str(path)], out, TAKE, watch=interrupt, engine=LocalEngine(lambda *_: generator))
    assert not list(out.glob(f".*{PARTIAL_SUFFIX}"))
    render([str(path)], out, TAKE, engine=LocalEngine(lambda *_: generator))
    assert load_take(out / "long.take").rows == 30_000


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is not on Windows")
def test_a_killed_render_is_finished_by_the_next(tmp_path: Path) -> None:
    """With 300 recordings, one of them corrupt; a render of 1,000 does the same for longer."""
    folder, out = tmp_path / "in", tmp_path / "out"
    for number in range(300):
        write_speech(folder / f"{number}.wav", 0.2, turn=number)
    (folder / "150.wav").write_bytes(b"RIFF")
    arguments = [sys.executable, "-m", "cstalk_bridge", "render", str(folder), "-o", str(out)]
    arguments += ["--device", "cpu"]
    killed = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL)
    manifest = out / "render.jsonl"

    def are_sixty_done() -> bool:
        assert killed.poll() is None
        return manifest.exists() and manifest.read_bytes().count(b'"done"') >= 60

    wait_until(are_sixty_done, 300.0)
    killed.kill()
    assert killed.wait() != 0
    left = [path for path in out.iterdir() if path.suffix == ".take"]
    assert 60 <= len(left) < 299
    for path in left:
        assert load_take(path).rows == 10
    finished = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 1
    assert "150.wav" in finished.stderr
    assert "1 failed" in finished.stdout
    assert "already finished" in finished.stdout
    assert not list(out.glob(f".*{PARTIAL_SUFFIX}"))
    assert len(list(out.glob("*.csv"))) == 299
    for number in range(300):
        assert number == 150 or load_take(out / f"{number}.take").rows == 10


def is_over_or_has(process: subprocess.Popen[bytes], folder: Path, count: int) -> bool:
    """Whether a process is over or a folder has more than `count` files.

    Hidden files count: one of them is being written just then.
    """
    is_over = process.poll() is not None
    return is_over or (folder.is_dir() and len(list(folder.iterdir())) > count)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is not on Windows")
def test_a_killed_export_leaves_no_partial_file_under_its_name(tmp_path: Path) -> None:
    """Of takes into every other format, killed at moments spread over what it writes."""
    arguments = [sys.executable, "-m", "cstalk_bridge", "render", "--device", "cpu"]
    for number in range(2):
        write_speech(tmp_path / f"in/{number}.wav", 2.0, turn=number)
    takes = tmp_path / "takes"
    subprocess.run([*arguments, str(tmp_path / "in"), "-o", takes, "--format", "take"], check=True)
    formats = ",".join(name for name in FORMATS if name != "take")
    export = [*arguments, str(takes), "--format", formats]
    whole = tmp_path / "whole"
    subprocess.run([*export, "-o", whole], check=True)
    sizes = {path.name: path.stat().st_size for path in whole.iterdir()}
    seen = set()
    for after in range(2, len(sizes), len(sizes) // 3):
        out = tmp_path / f"out{after}"
        killed = subprocess.Popen([*export, "-o", out], stdout=subprocess.DEVNULL)
        wait_until(partial(is_over_or_has, killed, out, after), interval_s=0.0005)
        killed.kill()
        killed.wait()
        for path in out.iterdir():
            if not path.name.startswith((".", "render")):
                assert path.stat().st_size == sizes[path.name]
                seen.add(path.name)
    assert len(seen) > 3


def test_the_sound_lies_beside_exported_heads_and_is_no_recording(tmp_path: Path) -> None:
    source = write_speech(tmp_path / "in/a.wav", 0.5)
    formats = tuple(FORMATS[name] for name in ("take", "glb", "usd"))
    settings = RenderConfig(formats=formats, device="cpu")
    out = tmp_path / "out"
    assert render([str(source)], out, settings).failures == []
    take = load_take(out / "a.take")
    assert take.sound is not None
    samples, rate_hz = soundfile.read(out / "a.wav", dtype="float32")
    assert rate_hz == take.sound.rate_hz
    np.testing.assert_allclose(samples, take.sound.read(0, take.sound.frames), atol=2**-14)
    assert "@@@./a.wav@@@" in (out / "a.usda").read_text()
    again = find_inputs([str(out)], tmp_path / "other")
    assert [file.path.name for file in again.found] == ["a.take"]
    (out / "a.wav").write_bytes(source.read_bytes())
    assert render([str(source)], out, replace(settings, is_forced=True)).failures == []
    assert (out / "a.wav").read_bytes() == source.read_bytes(), "a file of the user stays"
    assert "SpatialAudio" not in (out / "a.usda").read_text()

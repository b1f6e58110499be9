"""The plan of who says what is always the same, and never gives a held-out voice away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cstalk_bridge.models.training.synthesis import (
    PEAK,
    ROUNDS,
    SPEEDS,
    Line,
    MissingPartError,
    level,
    lines,
    pronounce,
    record_plan,
    resume,
    speakers,
    style_of,
    voices_in,
    write_model,
)

if TYPE_CHECKING:
    from collections.abc import Callable


ENGLISH = ("af_bella", "af_heart", "am_adam", "am_puck", "bf_emma", "bf_alice", "bm_george")
FOREIGN = ("ff_siwis", "jm_kumo")
PLANNED = [("ff_siwis__a026.opus", 1.2), ("mix001__a035.opus", 1.2), ("mix002__a005.opus", 1.0)]
MIX = ("bm_george", 0.081994)
TEXTS = {f"a{number:03d}": f"Sentence {number}." for number in range(40)}


def test_held_out_voices_are_in_no_mixture() -> None:
    mixed = {voice for speaker in speakers((*ENGLISH, *FOREIGN)) for voice, _ in speaker.mix}
    assert mixed == {*ENGLISH, *FOREIGN} - {"am_puck", "bf_emma"}


def test_foreign_voices_speak_alone_and_all_others_are_mixed() -> None:
    cast = speakers((*ENGLISH, *FOREIGN), 50)
    assert [speaker.name for speaker in cast[:3]] == ["ff_siwis", "jm_kumo", "mix002"]
    assert all(len(speaker.mix) in {2, 3} for speaker in cast[2:])
    for speaker in cast:
        assert sum(weight for _, weight in speaker.mix) == pytest.approx(1.0)
    assert {speaker.accent for speaker in cast} == {"en-us", "en-gb"}


def test_the_plan_depends_on_nothing_but_voices_and_texts() -> None:
    first = list(lines(speakers(ENGLISH, 20), TEXTS, 5))
    again = list(lines(speakers(tuple(reversed(ENGLISH)), 20), dict(reversed(TEXTS.items())), 5))
    assert first == again
    longer = list(lines(speakers(ENGLISH, 20), TEXTS, 6))
    assert longer[: len(first)] == first


def test_the_plan_is_the_one_that_recordings_were_made_by() -> None:
    """The first lines of the plan for these voices: another plan could not resume a folder."""
    cast = speakers(("af_bella", "af_heart", "am_adam", "bm_george", "ff_siwis"), 3)
    planned = [(line.file, line.speed) for line in lines(cast, TEXTS, 1)]
    assert planned == PLANNED
    assert cast[1].mix[0] == (MIX[0], pytest.approx(MIX[1], abs=1e-5))


def test_no_speaker_has_a_sentence_twice() -> None:
    files = [line.file for line in lines(speakers(ENGLISH, 5), TEXTS, ROUNDS)]
    assert len(set(files)) == len(files) < 5 * ROUNDS
    assert {line.speed for line in lines(speakers(ENGLISH, 5), TEXTS, ROUNDS)} == {*SPEEDS}


def test_too_few_voices_are_reported() -> None:
    with pytest.raises(ValueError, match="1 English voices are too few"):
        speakers(("af_bella", "ff_siwis"))


ROOT = Path(__file__).parents[4]
PLAN = list(lines(speakers(("af_a", "am_b", "bf_c"), 4), {"t1": "One.", "t2": "Two."}, 3))


def recorder(spoken: list[str], most: int) -> Callable[[Line], dict[str, Any] | None]:
    def record(line: Line) -> dict[str, Any] | None:
        if len(spoken) == most:
            raise KeyboardInterrupt
        spoken.append(line.file)
        return None if line.text_id == "t2" else {"file": line.file, "seconds": 30.0}

    return record


def test_a_run_continues_where_another_stopped(tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    for folder in (straight, broken):
        folder.mkdir()
    record_plan(PLAN, straight, recorder([], 99), np.inf)
    with pytest.raises(KeyboardInterrupt):
        record_plan(PLAN, broken, recorder([], 3), np.inf)
    whole = (broken / "index.jsonl").read_text("utf-8")
    (broken / "index.jsonl").write_text(whole + '{"file": "mix0', encoding="utf-8")
    done, minutes = resume(broken)
    assert minutes == len(done) * 0.5
    assert (broken / "index.jsonl").read_text("utf-8") == whole
    spoken: list[str] = []
    record_plan(PLAN, broken, recorder(spoken, 99), np.inf)
    assert not done & {*spoken}
    assert (broken / "index.jsonl").read_text("utf-8") == (straight / "index.jsonl").read_text()


def test_it_stops_at_the_minutes_asked_for(tmp_path: Path) -> None:
    record_plan(PLAN, tmp_path, recorder([], 99), 1.0)
    assert resume(tmp_path)[1] == 1.0
    record_plan(PLAN, tmp_path, recorder([], 0), 1.0)


def test_a_speaker_has_a_share_of_each_voice(tmp_path: Path) -> None:
    for number, voice in enumerate(("af_a", "am_b")):
        styles = np.full((510, 1, 256), number + 1, np.float32)
        styles[7] *= 10
        styles.tofile(tmp_path / f"{voice}.bin")
    voices = voices_in(tmp_path)
    speaker = speakers(("af_a", "am_b", "bf_c"), 1)[0]
    mix = (("af_a", 0.25), ("am_b", 0.75))
    style = style_of(type(speaker)("x", mix), voices, 8)
    assert style.shape == (256,)
    assert style == pytest.approx(17.5)


def test_recordings_share_one_peak() -> None:
    assert np.abs(level(np.array([0.1, -0.2], np.float32))).max() == pytest.approx(PEAK)
    assert np.abs(level(np.zeros(4, np.float32))).max() == 0.0


def test_an_empty_folder_and_missing_packages_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPartError, match="npm pack kokoro-js"):
        voices_in(tmp_path)
    if not shutil.which("espeak-ng"):
        with pytest.raises(MissingPartError, match="espeak-ng is not installed"):
            pronounce("One.", "en-us", {})


def test_what_only_synthesis_needs_is_imported_by_it_alone(tmp_path: Path) -> None:
    """Without the extra packages the command says in one line how to get them."""
    (tmp_path / "kathleen").mkdir()
    (tmp_path / "kathleen/transcripts.json").write_text(json.dumps({"a": "One."}), encoding="utf-8")
    arguments = [
        sys.executable,
        "-m",
        "cstalk_bridge.models.training.synthesis",
        "--data",
        str(tmp_path),
    ]
    arguments += ["--voices", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "npm pack kokoro-js" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_espeak_pronounces_with_the_symbols_that_are_known() -> None:
    assert pronounce("Mum.", "en-us", {"m": 1, "ʌ": 2}) == "mʌm"


def test_the_model_is_made_of_the_packages(tmp_path: Path) -> None:
    try:
        write_model(tmp_path / "model.onnx")
    except MissingPartError as error:
        assert "pip install 'cstalk-bridge[synthesis]'" in str(error)  # noqa: PT017
        assert not (tmp_path / "model.onnx").exists()
    else:
        assert (tmp_path / "model.onnx").stat().st_size > 50_000_000

"""A set is whole or continues where it stopped; what did not change is copied, not made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cstalk_bridge.models.board import AUDIO_DRIVEN
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.corpus import CAPTURED, ROW_BYTES, CorpusWriter, read_index
from cstalk_bridge.models.training.rules import GESTURES
from cstalk_bridge.models.training.sources import Clip
from cstalk_bridge.models.training.targets import Targets

PLAN = [("kathleen", "k1"), ("ravdess", "r1"), ("kokoro", "o1")]


def add(building: CorpusWriter, source: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    for number in range(2):
        rows = 5 + seed + number
        tracked = source == "ravdess" and number == 1
        targets = Targets(
            random.random((rows, len(GESTURES)), dtype=np.float32),
            random.integers(0, 30, rows),
            random.random(rows, dtype=np.float32),
            random.random((rows, len(AUDIO_DRIVEN)), dtype=np.float32) if tracked else None,
        )
        clip = Clip(f"{source}/{number}", Path("nowhere"), "train")
        sound = random.uniform(-1, 1, rows * HOP_SAMPLES + 7).astype(np.float32)
        building.add(clip, sound, targets, {"happy": 1.0} if tracked else None)


def make(cache: Path, plan: list[tuple[str, str]], *, stop_before: int | None = None) -> None:
    with CorpusWriter(cache, plan) as building:
        for number, (source, key) in enumerate(plan):
            if number < len(building.done):
                continue
            add(building, source, number)
            if number == stop_before:
                return
            building.end_source(source, key)
        building.publish()


def contents(cache: Path) -> list[bytes]:
    return [(cache / name).read_bytes() for name in (*ROW_BYTES, "index.json")]


def test_an_interrupted_set_continues_after_the_last_whole_source(tmp_path: Path) -> None:
    make(tmp_path / "straight", PLAN)
    make(tmp_path / "broken", PLAN, stop_before=2)
    with CorpusWriter(tmp_path / "broken", PLAN) as building:
        assert [source["source"] for source in building.done] == ["kathleen", "ravdess"]
    make(tmp_path / "broken", PLAN)
    assert contents(tmp_path / "straight") == contents(tmp_path / "broken")
    assert not (tmp_path / "broken/building").exists()


def test_what_was_made_for_another_key_is_made_again(tmp_path: Path) -> None:
    make(tmp_path, PLAN, stop_before=2)
    with CorpusWriter(tmp_path, [("kathleen", "k1"), ("ravdess", "r2"), PLAN[2]]) as building:
        assert [source["source"] for source in building.done] == ["kathleen"]
        assert building.captured_rows == 0


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    make(tmp_path, PLAN, stop_before=2)
    with (tmp_path / "building" / CAPTURED).open("r+b") as file:
        file.truncate(10)
    with CorpusWriter(tmp_path, PLAN) as building:
        assert [source["source"] for source in building.done] == ["kathleen"]


def test_copied_clips_keep_their_rows_wherever_they_move(tmp_path: Path) -> None:
    make(tmp_path, PLAN)
    before = read_index(tmp_path)
    sound, captured = ((tmp_path / name).read_bytes() for name in ("samples.i16", CAPTURED))
    with CorpusWriter(tmp_path, [PLAN[1]]) as building:
        building.copy([clip for clip in before if clip["name"].startswith("ravdess/")])
        building.end_source(*PLAN[1])
        building.publish()
    first = before[2]["first"] * ROW_BYTES["samples.i16"]
    size = (before[2]["rows"] + before[3]["rows"]) * ROW_BYTES["samples.i16"]
    assert (tmp_path / "samples.i16").read_bytes() == sound[first : first + size]
    assert (tmp_path / CAPTURED).read_bytes() == captured
    moved = read_index(tmp_path)
    assert [clip["first"] for clip in moved] == [0, before[2]["rows"]]
    assert moved[1]["emotion"] == {"happy": 1.0}


def test_a_cache_that_is_too_short_is_reported(tmp_path: Path) -> None:
    make(tmp_path, PLAN)
    (tmp_path / "phones.u8").write_bytes(b"")
    with (
        CorpusWriter(tmp_path, [PLAN[0]]) as building,
        pytest.raises(EOFError, match=r"phones\.u8 is shorter"),
    ):
        building.copy(read_index(tmp_path)[:2])

"""Sound split into pieces, pieces gathered into batches, and the progress line."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from cstalk_bridge.models.errors import Problem
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.takes.generate import GenerationConfig
from cstalk_bridge.takes.render.jobs import Job
from cstalk_bridge.takes.render.pieces import (
    PIECE_ROWS,
    OpenedInput,
    Piece,
    PieceContext,
    batches,
    cut_pieces,
    part_rows,
)
from cstalk_bridge.takes.render.progress import RenderProgress

if TYPE_CHECKING:
    from cstalk_bridge.takes.render.pieces import Part


JOB = Job(Path("a.wav"), PurePosixPath("a"), is_take=False, sidecar=None, size=100, stamp="")


def part(rows: int) -> Part:
    piece = Piece(0, rows, 0, np.zeros(rows * HOP_SAMPLES, np.float32))
    return OpenedInput(JOB, GenerationConfig(), rows, piece=piece), piece


@given(
    lengths=st.lists(st.integers(0, 700_000), min_size=1, max_size=6),
    ahead_rows=st.integers(0, 12),
)
@example(lengths=[3004 * HOP_SAMPLES, 1], ahead_rows=4)
def test_pieces_cover_the_sound_with_its_context(lengths: list[int], ahead_rows: int) -> None:
    total = sum(lengths)
    sound = np.arange(total, dtype=np.float32)
    stream = np.split(sound, np.cumsum(lengths[:-1]))
    rows = -(-total // HOP_SAMPLES)
    pieces = list(cut_pieces(stream, rows, PieceContext(80, ahead_rows)))
    assert [piece.first for piece in pieces] == [
        number * PIECE_ROWS for number in range(len(pieces))
    ]
    assert sum(piece.rows for piece in pieces) == rows
    assert all(piece.rows <= PIECE_ROWS + ahead_rows for piece in pieces)
    for piece in pieces:
        assert piece.before == min(piece.first, 80)
        start = (piece.first - piece.before) * HOP_SAMPLES
        end = (piece.first + piece.rows + ahead_rows) * HOP_SAMPLES
        np.testing.assert_array_equal(piece.samples, sound[start:end])


@given(st.lists(st.integers(1, 900), max_size=60), st.integers(0, 4000))
def test_batches_hold_every_part_once_and_fill_a_pass_at_most(
    lengths: list[int], waiting_rows: int
) -> None:
    parts = [part(rows) for rows in lengths]
    made = list(batches(parts, 500, waiting_rows))
    assert sorted(id(one) for batch in made for one in batch) == sorted(map(id, parts))
    for batch in made:
        assert len(batch) == 1 or max(map(part_rows, batch)) * len(batch) <= 500


def test_parts_of_one_length_share_a_batch() -> None:
    parts = [part(rows) for rows in (10, 400, 10, 400, 10, 600)]
    lengths = [[part_rows(one) for one in batch] for batch in batches(parts, 500, 6000)]
    assert lengths == [[600], [10, 10, 10], [400], [400]]


def test_progress_reports_speed_and_time_left() -> None:
    progress = RenderProgress(jobs=4, bytes=400, start_s=10.0)
    assert progress.line(10.0) == "0 of 4 rendered, 0 x real time"
    progress.add_generated(JOB, 1.0)
    progress.finish(JOB, 60.0)
    assert progress.line(20.0) == "1 of 4 rendered, 6 x real time, 0:30 left"
    progress.fail("b.wav", (Problem("b.wav", "damaged"),))
    progress.end_s = 20.0
    assert progress.line(20.0).startswith("1 of 4 rendered, 1 failed, 6 x")
    assert progress.summary() == "1 rendered, 1 failed: 1:00 of sound in 10.0 s, 6 x real time"

"""Contact sheets of small recordings, and notices where recordings are missing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import matplotlib.image
import numpy as np
import pytest
import soundfile

from cstalk_bridge.evaluation.adapters import HeadInMm
from cstalk_bridge.evaluation.sheets import draw
from cstalk_bridge.evaluation.sheets.draw import (
    FRAMES,
    SHEETS,
    draw_sheets,
    phone_sheets,
    stranger_sheets,
    word_sheets,
)
from cstalk_bridge.evaluation.sheets.faces import SheetContext, SheetHead, tracked_face
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.models.evaluation.candidates import LoudnessFace
from cstalk_bridge.models.evaluation.recordings import Folders, MissingDataError, strangers
from cstalk_bridge.models.evaluation.request import EvaluationRequest
from cstalk_bridge.models.evaluation.suites.articulation import VISEME_CLASSES
from cstalk_bridge.models.loading import DEFAULT_PATH
from cstalk_bridge.models.training.sources import GRID_CURVES, held_out
from tests.models.evaluation.recorded import noise
from tests.models.evaluation.suites.test_articulation import write_kathleen
from tests.models.evaluation.suites.test_known_faces import write_people

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def head() -> HeadInMm:
    return HeadInMm.open(None)


@pytest.fixture(scope="module")
def stage(head: HeadInMm) -> SheetHead:
    return SheetHead(head)


def context(stage: SheetHead, data: Path) -> SheetContext:
    return SheetContext(LoudnessFace(), 80, Folders(data, data), (stage,))


def request_for(data: Path, sheets: Path) -> EvaluationRequest:
    return EvaluationRequest(
        weights=(DEFAULT_PATH,),
        wav2vec=None,
        data=data,
        cache=data,
        lookaheads_ms=(20, 80),
        suites=(),
        max_clips=1,
        ways=("offline",),
        has_baselines=False,
        json=None,
        page=None,
        sheets=sheets,
    )


def test_without_recordings_the_bundled_one_is_drawn_and_missing_ones_are_reported(
    head: HeadInMm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {name: SHEETS[name] for name in ("angles", "phones", "words")}
    monkeypatch.setattr(draw, "SHEETS", kinds)
    notices: list[str] = []
    draw_sheets(request_for(tmp_path, tmp_path / "sheets"), head, notices.append)
    drawn = {path.stem: path for path in (tmp_path / "sheets").iterdir()}
    assert set(drawn) == {"angles_face", "angles_mouth"}
    pixels = matplotlib.image.imread(drawn["angles_face"])[..., :3]
    assert pixels.std() > 0.1
    assert notices[0].startswith(f"{drawn['angles_face']}: faces from three sides, cstalk, 80 ms")
    assert [line.split(":")[0] for line in notices[2:]] == ["phones", "words"]
    assert all("not drawn" in line for line in notices[2:])


def test_a_folder_that_cannot_be_created_is_named(head: HeadInMm, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="name another folder with --sheets"):
        draw_sheets(request_for(tmp_path, tmp_path / "file" / "sheets"), head, print)


def test_phones_are_shown_at_their_times(stage: SheetHead, tmp_path: Path) -> None:
    write_kathleen(tmp_path, tmp_path, 12)
    ((name, sheet),) = phone_sheets(context(stage, tmp_path))
    assert name == "phones_own"
    rows = {row.label: row for row in sheet.rows}
    assert list(rows) == list(VISEME_CLASSES)
    shown = {label for label, row in rows.items() if any(c.picture is not None for c in row.cells)}
    assert shown == {"p b m", "s z", "ee y", "ah aa"}
    cell = rows["ah aa"].cells[0]
    assert cell.caption.startswith("kathleen aa ")
    other = rows["p b m"].cells[0]
    assert cell.picture is not None
    assert other.picture is not None
    assert not np.array_equal(cell.picture, other.picture)


def test_a_word_has_the_tracked_face_above_the_predicted_one(
    stage: SheetHead, tmp_path: Path
) -> None:
    stem = held_out()["test"]["grid_s1"][0]
    (tmp_path / "grid_s1/audio").mkdir(parents=True)
    path = tmp_path / f"grid_s1/audio/{stem}.opus"
    soundfile.write(path, noise(3.0, 1), 16_000, format="OGG", subtype="OPUS")
    curves = np.zeros((75, 1))
    curves[30:50] = 0.5
    arrays: dict[str, Any] = {"names": np.array(["jawOpen"]), stem: curves}
    np.savez(tmp_path / "grid_s1" / GRID_CURVES, **arrays)
    (tmp_path / "grid_s1/words.json").write_text(
        json.dumps({stem: [[1.2, 1.6, "white"]]}), encoding="utf-8"
    )
    ((name, sheet),) = word_sheets(context(stage, tmp_path))
    assert name == "word_white"
    assert [row.label for row in sheet.rows] == ["real, own", "made, own"]
    real, made = (row.cells for row in sheet.rows)
    assert len(real) == len(made) == FRAMES
    gaps = [float(cell.caption.split()[1].split("|")[0]) for cell in real]
    assert gaps[0] == 0.0
    assert max(gaps) == pytest.approx(0.5 * 5 * 5.24, rel=0.05)
    first, last = real[0].picture, real[6].picture
    assert first is not None
    assert last is not None
    assert not np.array_equal(first, last)
    (tmp_path / "grid_s1/words.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MissingDataError, match="holds none of white"):
        list(word_sheets(context(stage, tmp_path)))


def test_unknown_speakers_are_shown_with_their_own_lip_gap(
    stage: SheetHead, tmp_path: Path
) -> None:
    write_people(tmp_path)
    ((_, sheet),) = stranger_sheets(context(stage, tmp_path))
    labels = [row.label.splitlines() for row in sheet.rows]
    assert labels[:2] == [["reader 00", "real, own"], ["reader 00", "made, own"]]
    assert len(labels) == 6
    assert all(cell.is_real for cell in sheet.rows[0].cells)
    assert not any(cell.is_real for cell in sheet.rows[1].cells)
    assert "(" in sheet.rows[0].cells[0].caption
    assert "(" not in sheet.rows[1].cells[0].caption


def test_tracked_lips_are_drawn_as_far_apart_as_they_were_tracked(
    stage: SheetHead, tmp_path: Path
) -> None:
    write_people(tmp_path)
    clip = strangers(Folders(tmp_path, tmp_path), 1)["04"][0]
    shy = replace(clip, curves={**clip.curves, "jawOpen": 0.2 * clip.curves["jawOpen"]})
    shown = tracked_face(shy, stage)
    assert shown.is_real
    assert shown.lips_mm is not None
    apart_mm = shown.lips_mm - min(float(np.percentile(shown.lips_mm, 5)), 1.0)
    known = apart_mm < 12  # more than the shapes can do
    assert shown.mm.gap[known] == pytest.approx(np.maximum(apart_mm[known], 0), abs=1.5)
    assert shown.mm.teeth.max() == pytest.approx(0.2 * 21.7, rel=0.1)
    plain = replace(shy, curves={"jawOpen": shy.curves["jawOpen"]})
    assert tracked_face(plain, stage).lips_mm is None
    assert tracked_face(plain, stage).mm.gap.max() < shown.mm.gap.max()

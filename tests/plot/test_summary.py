"""Takes with one fault each are found, and stand before those without."""

from __future__ import annotations

import csv
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.cli import main
from cstalk_bridge.plot.study import JAW, LIPS
from cstalk_bridge.plot.summary import FAULTS, clipped_share, longest_still_s
from cstalk_bridge.plot.summary_page import PAGE, TABLE
from cstalk_bridge.takes.file import save_take
from cstalk_bridge.takes.sound import SampledSound
from cstalk_bridge.takes.take import Take, still_head
from cstalk_bridge.timecode.smpte import FRAME_RATES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RATE_HZ, ROWS = 16_000, 500
CLOSED = range(50, ROWS - 50, 50)
"""Rows at which the voice pauses for a p, and the lips close."""


def voice(level: float = 0.3) -> NDArray[np.float32]:
    """Return ten seconds of a buzzing voice with a pause of 80 ms around each closure."""
    times_s = np.arange(ROWS * RATE_HZ // 50) / RATE_HZ
    sound = level * np.sign(np.sin(2 * np.pi * 120 * times_s)) * (0.8 + 0.2 * np.sin(20 * times_s))
    for row in CLOSED:
        sound[(row - 2) * RATE_HZ // 50 : (row + 2) * RATE_HZ // 50] *= 0.001
    return sound.astype(np.float32)


def take(name: str, late_rows: int = 0, level: float = 0.3) -> Take:
    """Return a take whose mouth follows that voice, late by some rows."""
    rows = np.arange(ROWS)
    closed = np.zeros(ROWS)
    for row in CLOSED:
        closed += np.exp(-(((rows - row - late_rows) / 2.5) ** 2))
    board = np.zeros((ROWS, 1 + len(LIPS)), dtype=np.float32)
    board[:, 0] = 0.2 + 0.1 * np.sin(rows / 3)
    board[:, 1:] = closed[:, None]
    return Take(
        slate=name,
        rate=FRAME_RATES["50"],
        channels=(JAW, *LIPS),
        board=board,
        head=still_head(ROWS),
        sound=SampledSound(voice(level), RATE_HZ),
    )


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of takes, each with the fault that its name says."""
    folder = tmp_path_factory.mktemp("takes")
    stuck = take("stuck")
    still = stuck.board.copy()
    still[100:300] = still[100]
    made = {
        "good": take("good"),
        "act 1/late": take("late", late_rows=8),
        "clipped": take("clipped", level=3.0),
        "silent": take("silent", level=1e-4),
        "stuck": replace(stuck, board=still),
    }
    for name, each in made.items():
        path = folder / f"{name}.take"
        path.parent.mkdir(exist_ok=True)
        save_take(each, path)
    (folder / "damaged.take").write_bytes(b"PK")
    soundfile.write(folder / "no take.wav", voice(), RATE_HZ)
    return folder


def test_each_fault_is_found_and_the_worst_come_first(
    takes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "review"
    assert main(["plot", "--summary", str(takes), "-o", str(out)]) == 0
    line = "5 of 6 takes look wrong: 1 clipped, 1 silent, 1 stuck, 1 late, 1 damaged"
    assert line in capsys.readouterr().out
    rows = list(csv.DictReader((out / TABLE).read_text("utf-8").splitlines()))
    faults = {row["take"]: row["faults"] for row in rows}
    assert faults["good"] == ""
    for name in ("clipped", "silent", "stuck", "act 1/late"):
        assert faults[name] == name.split("/")[-1]
    assert rows[0]["take"] == "damaged"
    assert rows[-1]["take"] == "good"
    (late,) = (row for row in rows if row["take"] == "act 1/late")
    assert abs(float(late["late_ms"]) - 160) < 25
    page = (out / PAGE).read_text("utf-8")
    assert "good" not in page
    pages = {path.name for path in out.glob("*.html")} - {PAGE}
    assert len(pages) == 4
    assert all(f'href="{name}"' in page for name in pages)
    assert all(escape(fault.meaning) in page for fault in FAULTS.values())


def test_single_samples_on_full_scale_are_no_clipping() -> None:
    samples = np.zeros(1000, dtype=np.float32)
    samples[[10, 20, 21]] = 1.0
    assert clipped_share(SampledSound(samples, RATE_HZ)) == 0.0
    samples[100:110] = -1.0
    assert clipped_share(SampledSound(samples, RATE_HZ)) == 0.01


def test_a_mouth_may_stand_still_in_silence() -> None:
    opening, level = np.zeros(200, dtype=np.float32), np.full(200, -80.0, dtype=np.float32)
    level[:20] = -10.0
    assert longest_still_s(opening, level, 50.0) == pytest.approx(0.4)


def test_the_command_needs_takes_or_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot"]) == 2
    assert main(["plot", "--summary", str(tmp_path)]) == 2
    assert "contains no recording" in capsys.readouterr().err

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.bench.takes import FPS, Found, begun_s, found, kill_takes, lag, read_curves
from cstalk_bridge.takes.recording.recorder import recover
from tests.takes.recording.harness import RecorderHarness

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def mumbling(times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sin(7 * times_s) + np.sin(11.3 * times_s) + np.sin(1.7 * times_s)


@pytest.mark.parametrize("behind_s", [0.0, 0.035, -0.05])
def test_a_lagging_jaw_is_detected(behind_s: float) -> None:
    made = mumbling(np.arange(0, 12, 1 / 50))
    jaw = mumbling(np.arange(0, 12, 1 / FPS) - behind_s)
    assert lag(jaw, made, 50.0) == pytest.approx(behind_s, abs=0.002)


def test_sound_and_curves_of_a_take_begin_at_one_time_of_day(tmp_path: Path) -> None:
    stage = RecorderHarness(tmp_path, first_frame=3_600_030)
    stage.recorder.start("Aligned", 1)
    stage.step(60)
    take = stage.recorder.stop()
    assert take is not None
    timecode_s, jaw = read_curves(take.curves[0])
    assert timecode_s == begun_s(take.sounds[0]) == 60_000.5
    assert len(jaw) > 50


def test_killed_takes_can_be_read_before_and_after_they_are_finished(tmp_path: Path) -> None:
    kill_takes(tmp_path, 4)
    before = [found(path) for path in tmp_path.iterdir()]
    finished, problems = recover(tmp_path, 1e12)
    after = [found(path) for path in finished]
    assert problems == []
    assert len(before) == len(after) == 4
    assert sum(take.rows for take in before if take) == sum(take.rows for take in after if take) > 0


def test_a_damaged_take_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "take.json").write_text("{}")
    (tmp_path / "a_cal.csv").write_text("Timecode,half\n")
    assert found(tmp_path) is None
    (tmp_path / "a_cal.csv").unlink()
    assert found(tmp_path) == Found(0, 0.0)
    (tmp_path / "a.wav").write_bytes(b"RIFF no sound")
    assert found(tmp_path) is None

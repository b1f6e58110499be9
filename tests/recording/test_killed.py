"""A hundred programs, each killed in the middle of a take."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from bridge.recording.open_take import QUEUE_S
from bridge.recording.recovery import recover
from tests.recording.killed import kill_while_recording
from tests.recording.stage import DELAY_S, tone

if TYPE_CHECKING:
    from pathlib import Path

TAKES = 100


def read_curves(path: Path, *, is_mended: bool) -> list[list[str]]:
    """Return the whole lines of a file; before it is mended the last may be cut."""
    text = path.read_text()
    assert text.endswith("\n") or not is_mended
    found = list(csv.reader(text[: text.rfind("\n") + 1].splitlines()))
    assert all(len(line) == 63 for line in found)
    return found[1:]


def length_s(rows: list[list[str]]) -> float:
    parts = (map(float, row[0].split(":")) for row in (rows[0], rows[-1]))
    begin_s, end_s = (3600 * h + 60 * m + s + frame / 60 for h, m, s, frame in parts)
    return end_s - begin_s + 1 / 60


def read_sound(path: Path) -> np.ndarray:
    sound, rate_hz = soundfile.read(path, dtype="float32")
    assert rate_hz == 16_000
    # The first frame's sound is heard before there is any.
    before = round(DELAY_S * rate_hz)
    assert not sound[:before].any()
    np.testing.assert_allclose(
        sound[before:], tone(rate_hz, 0, max(0, len(sound) - before)), atol=1e-6
    )
    return np.asarray(sound)


def test_of_a_hundred_killed_takes_all_can_be_read(tmp_path: Path) -> None:
    kill_while_recording(tmp_path, TAKES)
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == TAKES
    assert all(folder.name.endswith(".recording") for folder in folders)
    before = {}
    for path in tmp_path.glob("*/*.csv"):
        before[path.name] = len(read_curves(path, is_mended=False))
    for path in tmp_path.glob("*/*.wav"):
        read_sound(path)
    assert sum(rows > 0 for rows in before.values()) >= TAKES

    found, problems = recover(tmp_path, 1e12)
    assert problems == []
    assert len(found) == TAKES
    for folder in found:
        assert not folder.name.endswith(".recording")
        document = json.loads((folder / "take.json").read_text())
        assert document["isRecovered"]
        for path in folder.glob("*.csv"):
            rows = read_curves(path, is_mended=True)
            assert len(rows) == before[path.name]
            sound = folder / path.name.replace("_cal.csv", ".wav")
            if rows and sound.exists():
                # The two grow in turn, by what is written at once.
                missing_s = length_s(rows) - len(read_sound(sound)) / 16_000
                assert -1e-3 < missing_s <= QUEUE_S
        counts = {len(read_curves(path, is_mended=True)) for path in folder.glob("*.csv")}
        assert document["frames"] in counts | {0}

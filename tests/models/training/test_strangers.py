"""Everybody's picture is brought in step with the sound, and phones are those that were heard."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.training.captured_faces import CURVES, EYES_APART_CM, TRACKED_LIPS
from cstalk_bridge.models.training.sources import held_out
from cstalk_bridge.models.training.strangers import Strangers, recognised_segments, touching

LAGS_S = {3: 0.08, 7: -0.06, 9: 0.02}
"""By how much the picture of each person is early."""
CLIPS = {3: 12, 7: 12, 9: 1}
ROWS, FRAMES = 60, 29
REST_CM, WIDE_CM = 0.06, 4.4


def opening(times_s: np.ndarray, clip: int) -> np.ndarray:
    """How far a mouth is open, 0..1."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * (3.1 * times_s + 0.37 * clip))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Strangers:
    folder = tmp_path_factory.mktemp("strangers")
    (folder / "audio").mkdir()
    arrays: dict[str, Any] = {}
    people: dict[str, int] = {}
    expected: dict[str, np.ndarray] = {}
    for person, count in CLIPS.items():
        for clip in range(count):
            stem = f"{person}{clip:02}"
            (folder / f"audio/{stem}.opus").write_bytes(b"")
            people[stem] = person
            heard = np.zeros((ROWS, len(CURVES)), np.float32)
            heard[:, CURVES.index("gap")] = opening(np.arange(ROWS) / 50, clip)
            heard[:, CURVES.index("width")] = 0.1
            expected[stem] = heard
            times_s = 0.04 + np.arange(FRAMES) / 25
            seen = opening(times_s + LAGS_S[person], clip)
            lips = np.stack((REST_CM + seen, WIDE_CM + 0.2 * seen), 1) / EYES_APART_CM
            lips[5] = np.nan
            arrays |= {stem: seen[:, None], f"{stem}__lips": lips, f"{stem}__t": times_s}
    arrays |= {"names": np.array(["mouthPucker"]), "lips_names": np.array(TRACKED_LIPS)}
    np.savez(folder / "curves.npz", **arrays)
    (folder / "speakers.json").write_text(json.dumps(people), encoding="utf-8")
    return Strangers(folder, expected)


def test_the_people_of_the_test_train() -> None:
    assert not {f"{person:02}" for person in CLIPS} & {*held_out()["test"]["strangers_people"]}


@pytest.mark.parametrize("person", [3, 7])
def test_a_person_is_in_step_at_the_lag_of_all_clips(strangers: Strangers, person: int) -> None:
    assert strangers.people[f"{person:02}"].lag_s == pytest.approx(LAGS_S[person], abs=0.011)
    mouth = strangers.mouth(f"{person}04", ROWS)
    known = strangers.rows_of(f"{person}04", ROWS)
    gap = mouth[known, CURVES.index("gap")]
    assert gap == pytest.approx(opening(np.arange(ROWS) / 50, 4)[known], abs=0.2)


def test_somebody_with_one_clip_leans_on_everybody(strangers: Strangers) -> None:
    """Between the lag of that clip and those of the others; a mouth at rest is measured anyway."""
    everybody = 12 * (LAGS_S[3] + LAGS_S[7]) + LAGS_S[9]
    lag_s = strangers.people["09"].lag_s
    assert min(everybody / 25, LAGS_S[9]) - 0.011 <= lag_s <= LAGS_S[3]
    rest = strangers.people["03"].rest
    assert rest[CURVES.index("gap")] == pytest.approx(REST_CM, abs=0.03)
    width = np.concatenate([strangers.mouth(f"3{i:02}", ROWS) for i in range(12)])
    assert width[:, CURVES.index("width")].mean() == pytest.approx(0.1, abs=0.02)


def test_rows_without_a_picture_are_no_targets(strangers: Strangers) -> None:
    """The picture of 0.04 to 1.16 s is that of the sound so much later."""
    early, late = strangers.rows_of("304", ROWS), strangers.rows_of("704", ROWS)
    assert early.start == pytest.approx(6, abs=1)
    assert early.stop == ROWS
    assert late.start == 0
    assert late.stop == pytest.approx(56, abs=1)
    assert strangers.rows_of("304", 30) == slice(0, 0)
    assert strangers.rows_of("unknown", ROWS) == slice(0, 0)


def probable(phones: list[str], share: float = 0.8) -> np.ndarray:
    rows = np.full((len(phones), len(PHONES)), (1 - share) / len(PHONES), np.float32)
    rows[np.arange(len(phones)), [PHONES.index(phone) for phone in phones]] += share
    return rows


def test_a_flicker_is_no_phone_and_a_short_closure_is_one() -> None:
    heard = probable(["AA"] * 10 + ["B"] * 3 + ["IY"] * 8)
    heard[4] = probable(["EH"], 0.5)[0] + 0.3 * probable(["AA"], 0.9)[0]
    segments = recognised_segments(heard)
    assert [phone for _, _, phone in segments] == ["AA", "B", "IY"]
    assert segments[1][:2] == pytest.approx((0.2, 0.26))
    assert segments[-1][1] == pytest.approx(0.42)


def test_a_closure_that_is_seen_to_be_none_is_none() -> None:
    gap = np.full(30, 0.9, np.float32)
    gap[12] = 0.05
    assert np.flatnonzero(touching(gap)).tolist() == [10, 11, 12, 13, 14]

"""Phones follow a clip's piece, speed and source; events count most in their middle."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from cstalk_bridge.models.phones import PHONE_INDEX
from cstalk_bridge.models.timing import HOP_SAMPLES
from cstalk_bridge.models.training.batches import UNKNOWN_PHONE
from cstalk_bridge.models.training.encoder.phones import (
    EDGE,
    EVENTS,
    HEADS,
    MIDDLE,
    NEAR,
    Labels,
    correct_phones,
    event_targets,
    phone_loss,
)
from cstalk_bridge.models.training.encoder.streams import (
    FOLDER,
    EncoderCorpus,
    TeacherClip,
    write_folder,
)
from cstalk_bridge.models.training.encoder.whisper import WIDTH

if TYPE_CHECKING:
    from pathlib import Path


ROWS = 100
SEGMENTS = [(0.0, 0.4, "SIL"), (0.4, 0.8, "B"), (0.8, 1.6, "AA")]


def labels_of(tmp_path: Path, name: str, speed: float = 1.0, offset_s: float = 0.0) -> list[int]:
    clip = TeacherClip(name, "train", 0, speed, offset_s, 0, ROWS)
    sound = np.full(ROWS * HOP_SAMPLES, 0.1, np.float32)
    folder = tmp_path / FOLDER / f"{clip.source}.0"
    write_folder(folder, "key", [(clip, sound, np.zeros((ROWS, WIDTH), np.float32))])
    path = tmp_path / "phones.json"
    path.write_text(json.dumps({"kathleen/a": SEGMENTS}), "utf-8")
    train_set = EncoderCorpus(tmp_path, "train")
    return list(Labels(train_set, path)(train_set.clips[0]))


@pytest.mark.parametrize(("speed", "offset_s"), [(1.0, 0.0), (2.0, 0.0), (0.5, 0.0), (1.0, 0.2)])
def test_phones_follow_speed_and_place(tmp_path: Path, speed: float, offset_s: float) -> None:
    rows = labels_of(tmp_path, "kathleen/a", speed, offset_s)
    begins, ends = (round((time_s - offset_s) / speed * 50) for time_s in (0.4, 0.8))
    assert rows.index(PHONE_INDEX["B"]) == begins
    assert rows.count(PHONE_INDEX["B"]) == pytest.approx(min(ROWS, ends) - begins, abs=1)


def test_what_is_no_speech_is_silence_and_what_is_not_aligned_is_unknown(tmp_path: Path) -> None:
    assert set(labels_of(tmp_path / "1", "no_speech/0")) == {0}
    assert set(labels_of(tmp_path / "2", "kathleen/b")) == {UNKNOWN_PHONE}
    assert set(labels_of(tmp_path / "3", "facegood/b")) == {UNKNOWN_PHONE}


def test_an_event_counts_most_in_its_middle_and_little_beside_it() -> None:
    names = ["AA", "AA", "AA", "B", "B", "B", "AA", "AA", "AA", "AA"]
    phones = torch.tensor([[PHONE_INDEX[name] for name in names]])
    happens, weights = event_targets(phones)
    bilabial = list(EVENTS).index("bilabial")
    assert happens[bilabial, 0].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    wanted = [1.0, NEAR, NEAR, EDGE, MIDDLE, EDGE, NEAR, NEAR, 1.0, 1.0]
    assert weights[bilabial, 0].tolist() == pytest.approx(wanted)
    assert weights[list(EVENTS).index("sibilant")].unique().tolist() == [1.0]


def test_where_no_phone_is_known_nothing_is_asked() -> None:
    phones = torch.full((2, 8), UNKNOWN_PHONE)
    phones[0] = PHONE_INDEX["P"]
    _, weights = event_targets(phones)
    assert (weights[:, 1] == 0).all()
    logits = torch.randn(2, 8, len(HEADS), requires_grad=True)
    phone_loss(logits, phones).backward()
    assert logits.grad is not None
    assert (logits.grad[1] == 0).all()
    assert (logits.grad[0] != 0).any()


def test_the_right_heads_lose_least() -> None:
    phones = torch.tensor(
        [
            [
                0,
                PHONE_INDEX["P"],
                PHONE_INDEX["P"],
                PHONE_INDEX["AA"],
                PHONE_INDEX["S"],
                PHONE_INDEX["W"],
            ]
        ]
    )
    happens, _ = event_targets(phones)
    right = torch.cat((torch.eye(33)[phones], happens.movedim(0, -1)), -1) * 20 - 10
    assert phone_loss(right, phones) < 1e-3 < phone_loss(-right, phones)
    assert correct_phones(right, phones) == (5, 5)

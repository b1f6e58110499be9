"""The listener learns to tell sounds apart; it answers row for row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from cstalk_bridge.models.training import phone_recognizer
from cstalk_bridge.models.training.phone_recognizer import PhoneRecognizer, accuracy, learn
from cstalk_bridge.models.training.sources import Clip

if TYPE_CHECKING:
    from pathlib import Path


SEGMENTS = [(0.0, 0.6, "SIL"), (0.6, 1.4, "S"), (1.4, 2.2, "AA"), (2.2, 3.0, "SIL")]


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Hisses followed by hums."""
    made = []
    for number in range(4):
        random = np.random.default_rng(number)
        sound = np.zeros(48_000)
        sound[9600:22_400] = np.diff(random.standard_normal(12_801)) * 0.1
        times_s = np.arange(12_800) / 16_000
        hum = sum(np.sin(2 * np.pi * (110 + 9 * number) * k * times_s) / k for k in range(1, 9))
        sound[22_400:35_200] = 0.2 * hum
        path = tmp_path / f"a{number}.flac"
        soundfile.write(path, sound + 1e-4 * random.standard_normal(48_000), 16_000)
        made.append(Clip(f"kathleen/a{number}", path, "train"))
    return made


def test_it_tells_a_hiss_from_a_hum(clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_recognizer, "BATCH", 4)
    phones = {clip.name: SEGMENTS for clip in clips}
    network = learn(clips[:3], phones, 1, steps=40)
    assert accuracy(network, clips[3:], phones) > 0.8


def test_every_row_is_answered() -> None:
    heard = PhoneRecognizer().hear(np.zeros(16_123, dtype=np.float32))
    assert heard.shape == (50, 33)
    assert np.allclose(heard.sum(1), 1.0, atol=1e-5)

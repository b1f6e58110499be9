from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from cstalk_bridge.models.evaluation.recordings import (
    Folders,
    MissingDataError,
    Recording,
    in_noise,
)
from cstalk_bridge.models.phones import PHONE_INDEX
from cstalk_bridge.models.training.alignment import speech_span

if TYPE_CHECKING:
    from pathlib import Path


def speech() -> Recording:
    sound = np.zeros(16_000, dtype=np.float32)
    sound[4000:12_000] = 0.1 * np.sin(np.arange(8000) * 0.3)
    return Recording("x/y", sound, phones=((0.25, 0.5, "AA"), (0.5, 0.75, "P")))


def test_padding_moves_the_phones_along() -> None:
    clip = speech().padded(1.0)
    assert clip.seconds == 3.0
    phones = clip.phone_rows()
    assert (phones[62] == 0, phones[64], phones[80]) == (True, PHONE_INDEX["AA"], PHONE_INDEX["P"])
    assert speech_span(clip.sound)[0] == pytest.approx(1.24, abs=0.021)


@pytest.mark.parametrize("snr_db", [10, 20])
def test_noise_lies_as_far_under_the_speech_as_is_asked(snr_db: int) -> None:
    clip = speech()
    noisy = in_noise(clip, snr_db, seed=3)
    noise = noisy.sound - clip.sound
    ratio = np.square(clip.sound[4000:12_000]).mean() / np.square(noise).mean()
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.3)
    assert np.array_equal(noisy.sound, in_noise(clip, snr_db, seed=3).sound)


def test_silence_stays_silent_in_its_noise() -> None:
    nothing = Recording("x/y", np.zeros(16_000, dtype=np.float32))
    assert not in_noise(nothing, 10, seed=1).sound.any()


def test_a_file_that_is_not_there_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingDataError, match=r"curves\.npz is missing; name the data folder"):
        Folders(tmp_path, tmp_path).needed("grid_s1/curves.npz")

"""PocketSphinx as a free viseme engine, on the recording that comes with the program."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from cstalk_bridge.audio.inputs import SPEECH_PATH
from cstalk_bridge.models.board import AUDIO_DRIVEN, JAW
from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.evaluation.candidates import VisemeFace
from cstalk_bridge.models.phones import PHONES
from cstalk_bridge.models.timing import SAMPLE_RATE_HZ, rows_of
from cstalk_bridge.takes.sound import open_sound

pytest.importorskip("pocketsphinx", reason="PocketSphinx is not installed")


def test_speech_is_decoded_and_moves_the_mouth_and_silence_does_not() -> None:
    spoken = open_sound(SPEECH_PATH)
    sound = soxr.resample(spoken.read(0, 4 * spoken.rate_hz), spoken.rate_hz, SAMPLE_RATE_HZ)
    engine = VisemeFace()
    phones = engine.decoded(sound)
    assert len({phone for *_, phone in phones}) > 8
    assert {phone for *_, phone in phones} <= set(PHONES[1:])
    assert all(a < b for a, b, _ in phones)
    calm = np.zeros((rows_of(len(sound)), len(EMOTIONS)), np.float32)
    face = engine.faces(sound, calm, 60)
    assert face.shape == (len(calm), len(AUDIO_DRIVEN))
    assert face[:, JAW].max() > 0.1
    assert engine.decoded(np.zeros(16_000, np.float32)) == []
    still = engine.faces(np.zeros(16_000, np.float32), calm[:50], 60)
    assert np.abs(still[:, JAW]).max() < 0.02

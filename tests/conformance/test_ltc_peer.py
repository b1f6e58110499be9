"""Linear timecode of libltc in our decoder, and both decoders on the same sound."""

from __future__ import annotations

import numpy as np
import pytest

from cstalk_bridge.timecode.ltc import LtcDecoder, rate_of
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tests.conformance import libltc
from tests.timecode import ltc_sound

NEARLY_2997 = 29.98
"""At 29.97, libltc always leaves out drop-frame labels."""

CASES = [
    (24000 / 1001, (23, 59, 59, 10), "23.976"),
    (24.0, (1, 2, 3, 20), "24"),
    (25.0, (23, 59, 59, 20), "25"),
    (30000 / 1001, (0, 0, 59, 20), "29.97df"),
    (NEARLY_2997, (0, 0, 59, 20), "29.97"),
    (30.0, (12, 59, 59, 20), "30"),
]


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize(("fps", "first", "name"), CASES)
def test_libltc_output_is_decoded(
    fps: float, first: tuple[int, int, int, int], name: str, rate_hz: int
) -> None:
    wave, names = libltc.encoded(fps, first, 40, rate_hz)
    frames = LtcDecoder(rate_hz).push(np.append(wave, np.zeros(rate_hz // 100, np.float32)))
    found = [frame.label.replace(";", ":") for frame in frames]
    # The last frame ends with the edge of a next one, which never comes.
    assert found[-38:] == names[-39:-1]
    assert rate_of(frames, rate_hz) == FRAME_RATES[name]
    assert all((";" in frame.label) == name.endswith("df") for frame in frames)


@pytest.mark.parametrize("is_reverse", [False, True])
@pytest.mark.parametrize(("fps", "first", "name"), CASES)
def test_both_decoders_read_the_same_timecode_at_the_same_place(
    fps: float, first: tuple[int, int, int, int], name: str, is_reverse: bool
) -> None:
    rate = FRAME_RATES[name]
    separator = ";" if rate.drop_frame else ":"
    start = "{:02d}:{:02d}:{:02d}".format(*first) + f"{separator}{first[3]:02d}"
    wave = ltc_sound.sound(ltc_sound.labels(rate, start, 30), rate)
    wave = wave[::-1] if is_reverse else wave
    theirs = libltc.decoded(wave, 48_000, fps)
    ours = {frame.label.replace(";", ":"): frame for frame in LtcDecoder(48_000).push(wave)}
    assert len(theirs) >= 26
    # libltc is given the length of a bit, which our decoder learns from the first frame.
    for label, place, backwards in theirs[1:]:
        assert backwards == is_reverse == ours[label].is_reverse
        begin = ours[label].place - (ours[label].length if is_reverse else 0)
        # libltc reports whole samples, and a frame that runs backwards a bit or two off.
        assert place == pytest.approx(begin, abs=60 if is_reverse else 3)

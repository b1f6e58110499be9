from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from bridge.audio.source import SourceState
from bridge.face.timeline import Reach
from tests.face.scripted import ScriptedSource, scripted_voice

if TYPE_CHECKING:
    from bridge.face.voice import Voice

START_S = 100.0


def hear(voice: Voice, blocks: int, start_s: float = START_S) -> float:
    """Feed blocks on time; the row of hop k is [k, 0]. Return the host time after them."""
    source = voice.source
    assert isinstance(source, ScriptedSource)
    now_s = start_s
    for number in range(blocks):
        now_s = start_s + 0.01 * (number + 1)
        source.put(now_s)
        voice.listen(now_s)
        while voice.hop is not None:
            voice.take(
                np.array([voice.hop.index, 0], dtype=np.float32), now_s, voice.delay.hops_at(now_s)
            )
    return now_s


def test_the_face_is_that_of_a_constant_time_ago() -> None:
    voice = scripted_voice(lookahead_s=0.08, buffer_s=0.01)
    now_s = hear(voice, 100)
    for ago_s in (0.0, 0.003, 0.01, 0.1, 0.5):
        reading, _ = voice.at(now_s - ago_s)
        assert reading is not None
        assert reading.reach is Reach.LIVE
        assert reading.values is not None
        # The row after hop k is the face of (k + 1) hops less the look-ahead.
        hop = (1.0 - ago_s - 0.11) * 50 - 1 + 0.08 * 50
        assert reading.values[0] == pytest.approx(hop, abs=1e-3)


def test_before_any_sound_there_is_nothing_to_read() -> None:
    voice = scripted_voice()
    assert voice.at(START_S)[0] is None
    assert not voice.is_over(START_S)


def test_a_recording_is_over_once_its_last_face_was_shown() -> None:
    voice = scripted_voice(lookahead_s=0.08, buffer_s=0.01)
    now_s = hear(voice, 30)
    voice.source.close()
    voice.listen(now_s + 0.01)
    while voice.hop is not None:
        voice.take(
            np.array([voice.hop.index, 0], dtype=np.float32), now_s, voice.delay.hops_at(now_s)
        )
    last_s = now_s + 0.11
    reading, _ = voice.at(last_s)
    assert reading is not None
    assert reading.reach is Reach.LIVE
    assert reading.values is not None
    assert reading.values[0] == pytest.approx(0.3 * 50 - 1 + 4, abs=1e-3)
    assert not voice.is_over(last_s - 0.001)
    assert voice.is_over(last_s + 0.001)


def test_a_source_that_comes_back_begins_a_new_stretch() -> None:
    voice = scripted_voice()
    now_s = hear(voice, 50)
    source = voice.source
    assert isinstance(source, ScriptedSource)
    source.state = SourceState.LOST
    voice.listen(now_s + 1.0)
    voice.listen(now_s + 1.1)
    assert source.reopenings == 2
    lost = voice.stretch
    reading, _ = voice.at(now_s + 1.1)
    assert reading is not None
    assert reading.reach is Reach.ABSENT
    source.state = SourceState.RUNNING
    now_s = hear(voice, 20, now_s + 5.0)
    assert voice.stretch is not lost
    reading, _ = voice.at(now_s)
    assert reading is not None
    assert reading.reach is Reach.LIVE


def test_lost_blocks_are_heard_as_silence_so_that_time_goes_on() -> None:
    voice = scripted_voice()
    now_s = hear(voice, 50)
    source = voice.source
    assert isinstance(source, ScriptedSource)
    source.dropped_blocks = 20
    hear(voice, 20, now_s + 0.2)
    assert voice.stretch.heard_s == pytest.approx(0.9)
    assert voice.stretch.clock.resyncs == 0
    assert voice.stretch.clock.stream_time(now_s + 0.4) == pytest.approx(0.9, abs=1e-3)


def test_rows_keep_their_time_when_hops_were_left_out() -> None:
    voice = scripted_voice(lookahead_s=0.0, buffer_s=0.0)
    source = voice.source
    assert isinstance(source, ScriptedSource)
    for number in range(200):
        source.put(START_S + 0.01 * (number + 1))
    voice.listen(START_S + 2.0)
    while voice.hop is not None:
        voice.take(np.array([voice.hop.index, 0], dtype=np.float32), START_S + 2.0, 0)
    assert voice.stretch.listener.dropped_hops > 0
    assert voice.stretch.timeline.newest_s == pytest.approx(2.0)
    reading, _ = voice.at(START_S + 2.0)
    assert reading is not None
    assert reading.values is not None
    assert reading.values[0] == pytest.approx(98.0, abs=1e-3)


@pytest.mark.parametrize("lookahead_s", [0.0, 0.02, 0.24])
def test_every_face_is_there_while_the_look_ahead_changes(lookahead_s: float) -> None:
    voice = scripted_voice(lookahead_s=0.08, buffer_s=0.01)
    now_s = hear(voice, 100)
    voice.delay.change(lookahead_s, now_s)
    source = voice.source
    assert isinstance(source, ScriptedSource)
    shown = [voice.at(now_s)[0]]
    for number in range(150):
        block_s = now_s + 0.01 * (number + 1)
        source.put(block_s)
        voice.listen(block_s)
        while voice.hop is not None:
            hops = voice.delay.hops_at(block_s)
            voice.take(np.array([voice.hop.index + 1 - hops, 0], dtype=np.float32), block_s, hops)
        shown += [voice.at(block_s - 0.005)[0], voice.at(block_s)[0]]
    assert {reading.reach for reading in shown if reading is not None} == {Reach.LIVE}
    rows = [reading.values[0] for reading in shown if reading and reading.values is not None]
    paces = np.diff(rows[-280:]) / (0.005 * 50)
    assert paces.min() > 0.79
    assert paces.max() < 1.21
    assert rows[-1] == pytest.approx((2.5 - 0.03 - lookahead_s) * 50, abs=0.01)


def test_taking_a_row_without_a_hop_is_refused() -> None:
    with pytest.raises(ValueError, match="hop"):
        scripted_voice().take(None, 0.0, 0)

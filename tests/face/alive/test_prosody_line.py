import pytest

from bridge.audio.hop import HOP_S
from bridge.face.alive.prosody import SILENCE, Prosody
from bridge.face.alive.prosody_line import CAPACITY_HOPS, STALE_S, ProsodyLine


def test_a_line_gives_what_the_voice_did_at_a_stream_time() -> None:
    line = ProsodyLine()
    assert line.at(0.0) is SILENCE
    hops = [Prosody(level=number / 10) for number in range(5)]
    for index, hop in enumerate(hops):
        line.put(index, hop)
    assert line.at(-0.1) is SILENCE
    assert line.at(0.0) is hops[0]
    assert line.at(0.05) is hops[2]
    assert line.at(0.1 + 0.9 * STALE_S) is hops[4]


def test_a_voice_of_which_no_more_is_heard_has_fallen_silent() -> None:
    line = ProsodyLine()
    line.put(0, Prosody(level=0.9, melody=3.0, stresses=4, pause_s=0.0))
    later = line.at(HOP_S + 2.0)
    assert not later.is_speaking
    assert (later.level, later.melody, later.stresses) == (0.0, 0.0, 4)
    assert later.pause_s == pytest.approx(2.0)


def test_a_line_forgets_what_is_older_than_half_its_ring() -> None:
    line = ProsodyLine()
    hops = [Prosody(stresses=number) for number in range(2 * CAPACITY_HOPS)]
    for index, hop in enumerate(hops):
        line.put(index, hop)
    assert line.at(0.0) is hops[-CAPACITY_HOPS // 2]
    assert line.at((2 * CAPACITY_HOPS - 10.5) * 0.02) is hops[-11]


def test_hops_that_were_left_out_repeat_the_one_before() -> None:
    line = ProsodyLine()
    first, later, last = Prosody(level=0.1), Prosody(level=0.2), Prosody(level=0.3)
    line.put(0, first)
    line.put(4, later)
    assert [line.at(0.02 * hop + 0.01) for hop in range(5)] == [first] * 4 + [later]
    line.put(10 * CAPACITY_HOPS, last)
    assert line.at(0.02 * (10 * CAPACITY_HOPS - 1) + 0.01) is later
    assert line.at(0.02 * 10 * CAPACITY_HOPS + 0.01) is last

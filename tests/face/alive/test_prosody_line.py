from bridge.face.alive.prosody import SILENCE, Prosody
from bridge.face.alive.prosody_line import CAPACITY_HOPS, ProsodyLine


def test_a_line_gives_what_the_voice_did_at_a_stream_time() -> None:
    line = ProsodyLine()
    assert line.at(0.0) is SILENCE
    hops = [Prosody(level=number / 10) for number in range(5)]
    for hop in hops:
        line.append(hop)
    assert line.at(-0.1) is SILENCE
    assert line.at(0.0) is hops[0]
    assert line.at(0.05) is hops[2]
    assert line.at(9.0) is hops[4]


def test_a_line_forgets_what_is_older_than_half_its_ring() -> None:
    line = ProsodyLine()
    hops = [Prosody(stresses=number) for number in range(2 * CAPACITY_HOPS)]
    for hop in hops:
        line.append(hop)
    assert line.at(0.0) is hops[-CAPACITY_HOPS // 2]
    assert line.at((2 * CAPACITY_HOPS - 10.5) * 0.02) is hops[-11]

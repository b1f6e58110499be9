"""Opening links: what fits the protocol sends, what does not is told."""

import numpy as np
import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.link import device_id
from cstalk_bridge.outputs.livelink_face import decode
from cstalk_bridge.outputs.osc_messages import Message, decode_packet
from cstalk_bridge.outputs.parse import parse_link_url
from cstalk_bridge.outputs.registry import open_link
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.outputs.receiving import receiver

RATE = FRAME_RATES["59.94df"]
CURVES = [curve.name for curve in load_table("livelinkface61").curves]
TICK = Tick(number=0, due_s=0.0, frame=7)


def test_live_link_face_carries_subject_stable_id_and_rate() -> None:
    with receiver() as unreal:
        spec = parse_link_url(f"livelink-face://{unreal.target}")
        link = open_link(spec, "Ada", CURVES, RATE)
        link.send(np.zeros(61, np.float32), TICK)
        packet = decode(unreal.one())
        link.close()
    assert (packet.subject, packet.device_id, packet.frame) == ("Ada", device_id("Ada"), 7)
    assert (packet.rate_numerator, packet.rate_denominator) == (60000, 1001)
    assert link.name == str(spec) == f"livelink-face://{unreal.target}"


def test_osc_addresses_are_prefix_and_output() -> None:
    with receiver() as engine:
        link = open_link(parse_link_url(f"osc://{engine.target}/face"), "Ada", ["jawOpen"], RATE)
        link.send(np.array([0.5], np.float32), TICK)
        assert decode_packet(engine.one()) == [Message("/face/jawOpen", (0.5,))]
        link.close()


def test_osc_leaves_a_metahuman_at_its_rest() -> None:
    rigmap = load_rigmap("metahuman")
    with receiver() as engine:
        spec = parse_link_url(f"osc://{engine.target}/face")
        link = open_link(spec, "Ada", rigmap.outputs, RATE, rest=rigmap.rest)
        link.send(np.full(len(rigmap.outputs), np.nan, np.float32), TICK)
        link.send(np.full(len(rigmap.outputs), 0.5, np.float32), TICK)
        link.close()
        told = [m for datagram in engine.all_waiting() for m in decode_packet(datagram)]
    frames = [told[: len(rigmap.outputs)], told[-len(rigmap.outputs) :]]
    for frame in frames:
        raised = {message.address for message in frame if message.arguments != (0.0,)}
        assert raised == {f"/face/CTRL_expressions_noseWrinkleUpper{side}" for side in "LR"}
    assert link.not_finite == len(rigmap.outputs)


def test_vmc_spells_presets_as_its_link_says() -> None:
    for option, name in (("", "Joy"), ("?presets=vrm1", "happy")):
        with receiver() as marionette:
            spec = parse_link_url(f"vmc://{marionette.target}{option}")
            link = open_link(spec, "Ada", ["happy"], RATE)
            link.send(np.array([0.5], np.float32), TICK)
            shape = Message("/VMC/Ext/Blend/Val", (name, 0.5))
            assert shape in decode_packet(marionette.one())
            link.close()


def test_vmc_spells_arkit_and_leaves_the_bone_out_as_its_link_says() -> None:
    for option, name, bones in (
        ("", "jawOpen", 1),
        ("?casing=pascal", "JawOpen", 1),
        ("?bone=none&casing=camel", "jawOpen", 0),
    ):
        with receiver() as marionette:
            spec = parse_link_url(f"vmc://{marionette.target}{option}")
            link = open_link(spec, "Ada", ["JawOpen", "HeadYaw"], RATE)
            link.send(np.array([0.5, 0.1], np.float32), TICK)
            told = decode_packet(marionette.one())
            assert Message("/VMC/Ext/Blend/Val", (name, 0.5)) in told
            assert sum(message.address == "/VMC/Ext/Bone/Pos" for message in told) == bones
            link.close()


@pytest.mark.parametrize("outputs", [[], ["HeadYaw"], ["jawOpen", "JawOpen"], ["a" * 1400]])
def test_outputs_that_make_no_vmc_frame_are_told(outputs: list[str]) -> None:
    with pytest.raises(UserError, match="rig map 'vrm' make no VMC frame"):
        open_link(parse_link_url("vmc://127.0.0.1"), "Ada", outputs, RATE)


def test_too_long_a_name_and_a_rig_map_that_does_not_fit_are_told_together() -> None:
    spec = parse_link_url("livelink-face://127.0.0.1?rigmap=vrm")
    with pytest.raises(UserError) as raised:
        open_link(spec, "x" * 257, CURVES[:20], RATE)
    assert len(raised.value.problems) == 2
    assert "257 bytes in UTF-8, at most 256" in str(raised.value)
    assert "'vrm' has 20 outputs that are not the 61 values" in str(raised.value)


def test_a_rig_map_in_another_order_is_told() -> None:
    spec = parse_link_url("livelink-face://127.0.0.1")
    with pytest.raises(UserError, match="not the 61 values of a Live Link Face packet in their"):
        open_link(spec, "Ada", CURVES[::-1], RATE)


@pytest.mark.parametrize("outputs", [[], ["a", "a"], ["jaw open"], ["a" * 1400]])
def test_outputs_that_make_no_osc_addresses_are_told(outputs: list[str]) -> None:
    with pytest.raises(UserError, match="rig map 'metahuman' make no OSC addresses"):
        open_link(parse_link_url("osc://127.0.0.1"), "Ada", outputs, RATE)


def test_a_host_that_cannot_be_found_is_told() -> None:
    with pytest.raises(UserError, match=r"'nobody\.invalid' cannot be found"):
        open_link(parse_link_url("livelink-face://nobody.invalid"), "Ada", CURVES, RATE)

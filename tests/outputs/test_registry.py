"""Links opened from config and URLs: what they send, and the errors of unsuitable ones."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.outputs.link import device_id
from cstalk_bridge.outputs.livelink_face import decode
from cstalk_bridge.outputs.metahuman.device import AccessRules
from cstalk_bridge.outputs.metahuman.protocol import MetaHumanConfig
from cstalk_bridge.outputs.osc import OscConfig
from cstalk_bridge.outputs.osc_messages import Message, decode_packet
from cstalk_bridge.outputs.protocol import LinkConfig
from cstalk_bridge.outputs.registry import LinkValue, open_link, parse_link_url
from cstalk_bridge.outputs.udp import MAX_TARGETS, Target
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.rig.load import load_rigmap
from cstalk_bridge.timecode.smpte import FRAME_RATES
from cstalk_bridge.timecode.tick import Tick
from tests.outputs.receiving import receiver

RATE = FRAME_RATES["59.94df"]
CURVES = [curve.name for curve in load_table("livelinkface61").curves]
TICK = Tick(number=0, due_s=0.0, frame=7)


def test_live_link_face_sends_subject_stable_id_and_rate() -> None:
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


def test_osc_leaves_a_metahuman_at_rest() -> None:
    rigmap = load_rigmap("metahuman")
    with receiver() as engine:
        spec = parse_link_url(f"osc://{engine.target}/face")
        link = open_link(spec, "Ada", rigmap.outputs, RATE, rest=rigmap.rest)
        link.send(np.full(len(rigmap.outputs), np.nan, np.float32), TICK)
        link.send(np.full(len(rigmap.outputs), 0.5, np.float32), TICK)
        link.close()
        received = [m for datagram in engine.all_waiting() for m in decode_packet(datagram)]
    frames = [received[: len(rigmap.outputs)], received[-len(rigmap.outputs) :]]
    for frame in frames:
        raised = {message.address for message in frame if message.arguments != (0.0,)}
        assert raised == {f"/face/CTRL_expressions_noseWrinkleUpper{side}" for side in "LR"}
    assert link.not_finite == len(rigmap.outputs)


def test_vmc_spells_presets_as_its_link_requests() -> None:
    for option, name in (("", "Joy"), ("?presets=vrm1", "happy")):
        with receiver() as marionette:
            spec = parse_link_url(f"vmc://{marionette.target}{option}")
            link = open_link(spec, "Ada", ["happy"], RATE)
            link.send(np.array([0.5], np.float32), TICK)
            shape = Message("/VMC/Ext/Blend/Val", (name, 0.5))
            assert shape in decode_packet(marionette.one())
            link.close()


def test_vmc_spells_arkit_and_omits_the_bone_as_its_link_requests() -> None:
    for option, name, bones in (
        ("", "jawOpen", 1),
        ("?casing=pascal", "JawOpen", 1),
        ("?bone=none&casing=camel", "jawOpen", 0),
    ):
        with receiver() as marionette:
            spec = parse_link_url(f"vmc://{marionette.target}{option}")
            link = open_link(spec, "Ada", ["JawOpen", "HeadYaw"], RATE)
            link.send(np.array([0.5, 0.1], np.float32), TICK)
            received = decode_packet(marionette.one())
            assert Message("/VMC/Ext/Blend/Val", (name, 0.5)) in received
            assert sum(message.address == "/VMC/Ext/Bone/Pos" for message in received) == bones
            link.close()


@pytest.mark.parametrize("outputs", [[], ["HeadYaw"], ["jawOpen", "JawOpen"], ["a" * 1400]])
def test_outputs_without_any_vmc_frame_are_reported(outputs: list[str]) -> None:
    with pytest.raises(UserError, match="rig map 'vrm' make no VMC frame"):
        open_link(parse_link_url("vmc://127.0.0.1"), "Ada", outputs, RATE)


def test_an_overlong_name_and_an_unsuitable_rig_map_are_reported_together() -> None:
    spec = parse_link_url("livelink-face://127.0.0.1?rigmap=vrm")
    with pytest.raises(UserError) as raised:
        open_link(spec, "x" * 257, CURVES[:20], RATE)
    assert len(raised.value.problems) == 2
    assert "257 bytes in UTF-8, at most 256" in str(raised.value)
    assert "'vrm' has 20 outputs that are not the 61 values" in str(raised.value)


def test_a_rig_map_in_another_order_is_reported() -> None:
    spec = parse_link_url("livelink-face://127.0.0.1")
    with pytest.raises(UserError, match="not the 61 values of a Live Link Face packet in their"):
        open_link(spec, "Ada", CURVES[::-1], RATE)


@pytest.mark.parametrize("outputs", [[], ["a", "a"], ["jaw open"], ["a" * 1400]])
def test_outputs_that_are_not_osc_addresses_are_reported(outputs: list[str]) -> None:
    with pytest.raises(UserError, match="rig map 'metahuman' make no OSC addresses"):
        open_link(parse_link_url("osc://127.0.0.1"), "Ada", outputs, RATE)


def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(UserError, match=r"'nobody\.invalid' cannot be found"):
        open_link(parse_link_url("livelink-face://nobody.invalid"), "Ada", CURVES, RATE)


LINK: TypeAdapter[LinkConfig] = TypeAdapter(LinkValue)


def metahuman(url: str) -> MetaHumanConfig:
    config = parse_link_url(url)
    assert isinstance(config, MetaHumanConfig)
    return config


def test_a_complete_url() -> None:
    spec = parse_link_url("osc://127.0.0.1:8001,stage-2.local,[::1]:9/face/a?rigmap=my/map.yaml")
    assert spec == OscConfig(
        targets=(
            Target(host="127.0.0.1", port=8001),
            Target(host="stage-2.local", port=8000),
            Target(host="::1", port=9),
        ),
        rigmap="my/map.yaml",
        prefix="/face/a",
    )


@pytest.mark.parametrize(
    ("url", "port", "rigmap"),
    [
        ("livelink-face://10.0.0.5", 11111, "livelinkface61"),
        ("vmc://10.0.0.5", 39539, "vrm"),
        ("LiveLink-Face://10.0.0.5/", 11111, "livelinkface61"),
        ("osc://10.0.0.5", 8000, "metahuman"),
    ],
)
def test_port_and_rig_map_default_to_the_protocols_own(url: str, port: int, rigmap: str) -> None:
    spec = parse_link_url(url)
    assert spec.targets == (Target(host="10.0.0.5", port=port),)
    assert spec.rigmap == rigmap
    assert str(spec) == f"{url.lower().rstrip('/')}:{port}"


def test_a_device_link_sets_the_allow_list_and_discovery() -> None:
    by_url = metahuman("metahuman://10.0.0.1?allow=10.0.0.5,10.0.1.0/24&discoverable=yes")
    assert list(map(str, by_url.allow)) == ["10.0.0.5/32", "10.0.1.0/24"]
    assert by_url.discoverable
    shared = {"protocol": "metahuman", "targets": ["10.0.0.1"], "discoverable": True}
    assert by_url == LINK.validate_python({**shared, "allow": ["10.0.0.5", "10.0.1.0/24"]})
    plain = metahuman("metahuman://127.0.0.1")
    assert (plain.allow, plain.discoverable) == ((), False)


EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is read, not bound


@pytest.mark.parametrize("host", [EVERYWHERE, "10.0.0.1", "stage", "[::]", "[2001:db8::1]"])
def test_a_device_that_others_can_reach_needs_an_allow_list(host: str) -> None:
    with pytest.raises(UserError, match="can be reached from other machines, and `allow` names"):
        parse_link_url(f"metahuman://{host}")
    with pytest.raises(ValidationError, match="`allow` names none"):
        LINK.validate_python({"protocol": "metahuman", "targets": [host]})
    assert metahuman(f"metahuman://{host}?allow=10.0.0.0/24").allow
    for local in ("127.0.0.1", "localhost", "[::1]", "127.9.9.9"):
        assert not metahuman(f"metahuman://{local}").allow


def test_a_device_without_an_allow_list_admits_this_machine_alone() -> None:
    assert AccessRules().is_allowed("127.0.0.1")
    assert AccessRules().is_allowed("::1")
    assert not AccessRules().is_allowed("10.0.0.5")


def test_a_link_can_be_configured_in_three_ways() -> None:
    by_url = LINK.validate_python("osc://10.0.0.5:8000,stage/face?rigmap=vrm")
    shared = {"protocol": "osc", "rigmap": "vrm", "prefix": "/face"}
    by_text = LINK.validate_python({**shared, "targets": ["10.0.0.5", "stage:8000"]})
    by_keys = LINK.validate_python(
        {**shared, "targets": [{"host": "10.0.0.5"}, {"host": "stage", "port": 8000}]}
    )
    assert by_url == by_text == by_keys


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ndi://10.0.0.5", "unknown protocol 'ndi'.*livelink-face://, osc://"),
        ("10.0.0.5:8000", "unknown protocol"),
        ("osc", "unknown protocol 'osc'"),
        ("osc://", "host is missing"),
        ("osc://:8000", "host is missing"),
        ("osc://a,,b", "host is missing"),
        ("osc://a:0", "port '0' is not a number from 1 to 65535"),
        ("osc://a:65536", "port '65536'"),
        ("osc://a:", "port ''"),
        ("osc://a:8_0", "port '8_0'"),
        ("osc://a:²", "port '²'"),
        ("osc://a:-1", "port '-1'"),
        ("osc://256.1.1.1", "(not|neither) an IP address"),
        ("osc://::1", "needs brackets"),
        ("osc://[10.0.0.5]", "only an IPv6 address"),
        ("osc://[::g]", "(not|neither) an IP address"),
        ("osc://a b", "not a host name"),
        ("osc://user@host", "not a host name"),
        ("osc://" + "a" * 64, "not a host name"),
        ("osc://a/b?map=x", "unknown option 'map'; known: rigmap"),
        ("osc://a?rigmap=", "option 'rigmap' must be a name or path"),
        ("osc://a?rigmap=x&rigmap=y", "option 'rigmap' is given twice"),
        ("osc://a/b*", "not an OSC address"),
        ("osc://a/b//c", "not an OSC address"),
        ("osc://a,a:8000", "named twice: a:8000"),
        ("osc://" + ",".join(f"h{i}" for i in range(MAX_TARGETS + 1)), "17 targets, at most 16"),
        ("livelink-face://a/face", "livelink-face has no prefix"),
        ("vmc://a/face", "vmc has no prefix"),
        ("osc://a?presets=vrm1", "unknown option 'presets'; known: rigmap="),
        ("vmc://a?presets=vrm2", "option 'presets' must be one of vrm0, vrm1"),
        ("vmc://a?presets=", "option 'presets' must be one of vrm0, vrm1"),
        ("vmc://a?casing=upper", "option 'casing' must be one of camel, pascal"),
        ("vmc://a?bone=hips", "option 'bone' must be one of head, none"),
        ("osc://a?bone=none", "unknown option 'bone'; known: rigmap="),
        ("osc://a?allow=10.0.0.5", "unknown option 'allow'; known: rigmap="),
        ("metahuman://a?allow=", "option 'allow' must be a list of IP addresses"),
        ("metahuman://a?allow=10.0.0.5,10.0.0.7/24", "option 'allow' must be a list"),
        ("metahuman://a?discoverable=1", "option 'discoverable' must be one of yes, no"),
    ],
)
def test_an_invalid_url_is_reported_with_the_reason(url: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_link_url(url)


def test_all_errors_are_reported_at_once() -> None:
    with pytest.raises(UserError) as raised:
        parse_link_url("osc://a:0,256.1.1.1/b*?map=x")
    assert len(raised.value.problems) == 4


@given(st.text(max_size=60), st.sampled_from(["", "osc://", "livelink-face://", "osc://a:"]))
def test_any_text_is_a_link_or_a_user_error(text: str, start: str) -> None:
    with suppress(UserError):
        spec = parse_link_url(start + text)
        assert parse_link_url(f"{spec}?rigmap=m").targets == spec.targets


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"protocol": "ndi", "targets": ["a"]}, "'livelink-face', 'osc', 'vmc' or 'metahuman'"),
        ({"protocol": ["osc"], "targets": ["a"]}, "'livelink-face', 'osc', 'vmc' or 'metahuman'"),
        ({"protocol": "osc", "targets": ["a"], "presets": "vrm1"}, "osc has no 'presets'"),
        ({"protocol": "vmc", "targets": ["a"], "allow": ["10.0.0.5"]}, "vmc has no 'allow'"),
        (
            {"protocol": "metahuman", "targets": ["a"], "allow": ["stage"]},
            "(not|neither) an IP address",
        ),
        ({"protocol": "osc", "targets": []}, "at least 1"),
        ({"protocol": "osc", "targets": [f"h{i}" for i in range(17)]}, "at most 16"),
        ({"protocol": "osc"}, "Field required"),
        ({"protocol": "osc", "targets": ["a:0"]}, "port '0'"),
        ({"protocol": "osc", "targets": [{"host": "a", "port": 65536}]}, "65535"),
        ({"protocol": "osc", "targets": [{"host": "a b"}]}, "not a host name"),
        ({"protocol": "osc", "targets": ["a", "a"]}, "named twice"),
        ({"protocol": "osc", "targets": ["a"], "rigmap": ""}, "at least 1 character"),
        ({"protocol": "osc", "targets": ["a"], "speed": 3}, "Extra inputs"),
        ({"protocol": "osc", "targets": ["a"], "prefix": "face"}, "not an OSC address"),
        ({"protocol": "livelink-face", "targets": ["a"], "prefix": "/x"}, "has no 'prefix'"),
        ("osc://a:0", "port '0'"),
        (7, "valid dictionary"),
    ],
)
def test_a_wrong_config_is_a_validation_error(data: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LINK.validate_python(data)

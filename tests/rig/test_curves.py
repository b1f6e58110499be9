"""The curve tables: wire order, partners and ranges."""

from __future__ import annotations

import pytest

from cstalk_bridge.document import FieldError
from cstalk_bridge.rig.curves import AXES, CUSTOM, TARGETS, is_source, load_table, parse_source

SIZES = {"metahuman": 251 + 7, "livelinkface61": 61, "vrm": 21}


@pytest.mark.parametrize("target", TARGETS)
def test_names_are_unique_and_mirrors_are_mutual(target: str) -> None:
    table = load_table(target)
    assert len(table.by_name) == len(table.curves) == SIZES[target]
    for curve in table.curves:
        partner = table.by_name[curve.mirror]
        assert partner.mirror == curve.name
        assert partner.mirror_sign == curve.mirror_sign
        assert (partner.minimum, partner.maximum) == (curve.minimum, curve.maximum)
        assert (curve.side, partner.side) in {("L", "R"), ("R", "L"), ("C", "C")}
        assert curve.minimum <= 0 < curve.maximum
        assert curve.minimum <= curve.rest <= curve.maximum
        assert partner.rest == curve.rest


def test_raw_indices_are_those_of_captured_packets() -> None:
    raw = [curve.name for curve in load_table("metahuman").curves]
    assert raw.index("CTRL_expressions_browDownL") == 0
    assert raw.index("CTRL_expressions_jawOpen") == 191
    assert raw.index("CTRL_expressions_tongueThin") == 250
    assert "CTRL_expressions_mouthUp" in raw
    packet = [curve.name for curve in load_table("livelinkface61").curves]
    places = {"EyeBlinkLeft": 0, "JawLeft": 15, "JawRight": 16, "JawOpen": 17, "MouthClose": 18}
    places |= {"MouthLeft": 21, "TongueOut": 51, "HeadYaw": 52, "RightEyeRoll": 60}
    assert {name: packet.index(name) for name in places} == places


def test_custom_maps_have_no_table() -> None:
    assert load_table(CUSTOM).curves == ()


def test_halves_have_their_own_columns() -> None:
    jaw = [parse_source(f"CTRL_C_jaw.tx{half}") for half in ("", "+", "-")]
    assert [source.column - jaw[0].column for source in jaw] == [0, len(AXES), 2 * len(AXES)]
    assert [source.limits for source in jaw] == [(-1, 1), (0, 1), (0, 1)]


def test_the_positive_half_of_a_one_sided_channel_is_the_channel() -> None:
    assert parse_source("CTRL_C_jaw.ty+") == parse_source("CTRL_C_jaw.ty")


@pytest.mark.parametrize(
    ("name", "image", "sign"),
    [
        ("CTRL_L_eye.ty", "CTRL_R_eye.ty", 1),
        ("CTRL_L_eye.tx", "CTRL_R_eye.tx", -1),
        ("CTRL_L_eye.tx+", "CTRL_R_eye.tx-", 1),
        ("CTRL_L_nose.ty-", "CTRL_R_nose.ty-", 1),
        ("CTRL_C_jaw.tx-", "CTRL_C_jaw.tx+", 1),
        ("head.yaw", "head.yaw", -1),
        ("head.pitch", "head.pitch", 1),
    ],
)
def test_mirror_images(name: str, image: str, sign: int) -> None:
    source, weight = parse_source(name).mirrored
    assert (source.name, weight) == (image, sign)


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("CTRL_C_jaw.tz", "unknown source `CTRL_C_jaw.tz`", "`CTRL_C_jaw.t"),
        ("CTRL_C_jaw.tx+-", "unknown source", "did you mean"),
        ("head.jaw", "unknown source `head.jaw`", "`head.yaw`"),
        ("CTRL_C_jaw.ty-", "`CTRL_C_jaw.ty-` is always zero: `CTRL_C_jaw.ty` runs 0..1", "write"),
        ("", "unknown source ``", "known: CTRL_L_brow_down.ty"),
    ],
)
def test_an_unknown_source_is_reported_with_advice(name: str, what: str, remedy: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_source(name)
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_names_are_sources_or_not() -> None:
    assert is_source("head.roll")
    assert is_source("CTRL_C_jaw.tx-")
    assert not is_source("CTRL_C_jaw.tx+-")
    assert not is_source("")

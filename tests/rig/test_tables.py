"""The curve tables: wire order, partners and ranges."""

from __future__ import annotations

import pytest

from bridge.rig.tables import CUSTOM, TARGETS, load_table

SIZES = {"metahuman": 251 + 7, "livelinkface61": 61, "vrm": 21}


@pytest.mark.parametrize("target", TARGETS)
def test_names_are_unique_and_mirrors_are_mutual(target):
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


def test_places_seen_on_real_wires():
    raw = [curve.name for curve in load_table("metahuman").curves]
    assert raw.index("CTRL_expressions_browDownL") == 0
    assert raw.index("CTRL_expressions_jawOpen") == 191
    assert raw.index("CTRL_expressions_tongueThin") == 250
    assert "CTRL_expressions_mouthUp" in raw
    packet = [curve.name for curve in load_table("livelinkface61").curves]
    places = {"EyeBlinkLeft": 0, "JawLeft": 15, "JawRight": 16, "JawOpen": 17, "MouthClose": 18}
    places |= {"MouthLeft": 21, "TongueOut": 51, "HeadYaw": 52, "RightEyeRoll": 60}
    assert {name: packet.index(name) for name in places} == places


def test_custom_maps_have_no_table():
    assert load_table(CUSTOM).curves == ()

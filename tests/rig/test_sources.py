"""Sources: axes, their halves, their mirror images, and the names which are none."""

from __future__ import annotations

import pytest

from bridge.document import FieldError
from bridge.rig.sources import AXES, is_source, parse_source


def test_halves_have_their_own_columns():
    jaw = [parse_source(f"CTRL_C_jaw.tx{half}") for half in ("", "+", "-")]
    assert [source.column - jaw[0].column for source in jaw] == [0, len(AXES), 2 * len(AXES)]
    assert [source.limits for source in jaw] == [(-1, 1), (0, 1), (0, 1)]


def test_the_positive_half_of_a_one_sided_channel_is_the_channel():
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
def test_mirror_images(name, image, sign):
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
def test_what_is_no_source_is_said_with_a_remedy(name, what, remedy):
    with pytest.raises(FieldError) as caught:
        parse_source(name)
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_names_are_sources_or_not():
    assert is_source("head.roll")
    assert is_source("CTRL_C_jaw.tx-")
    assert not is_source("CTRL_C_jaw.tx+-")
    assert not is_source("")

"""Which curves are drawn as a line."""

from __future__ import annotations

from cstalk_bridge.plot.face_panels import MAX_GROUPS, MAX_LINES, VISIBLE, curve_groups
from tests.plot.studies import calm_take, moved, study
from tests.takes.takes import made_take


def test_moving_curves_are_drawn_and_resting_ones_are_not() -> None:
    drawn = curve_groups([study(calm_take())])
    assert [(group.region, [line.label for line in group.lines]) for group in drawn] == [
        ("mouth", ["MouthClose"]),
        ("jaw", ["JawOpen"]),
    ]


def test_both_sides_share_a_line_until_they_differ() -> None:
    smiling = moved(calm_take(), "CTRL_L_mouth_cornerPull.ty", 0.6)
    even = moved(smiling, "CTRL_R_mouth_cornerPull.ty", 0.6)
    labels = {line.label for group in curve_groups([study(even)]) for line in group.lines}
    assert "MouthSmile L R" in labels
    uneven = {line.label for group in curve_groups([study(smiling)]) for line in group.lines}
    assert "MouthSmileLeft" in uneven
    assert "MouthSmile L R" not in uneven


def test_a_region_with_many_curves_keeps_the_strongest_and_counts_the_others() -> None:
    shown = study(made_take(100), "metahuman")
    mouth = [group for group in curve_groups([shown]) if group.region == "mouth"]
    assert [len(group.lines) for group in mouth] == [MAX_LINES] * MAX_GROUPS
    drawn = sum(len(line.columns) for group in mouth for line in group.lines)
    moving = [
        curve.name
        for curve, values in zip(shown.table, shown.curves.T, strict=True)
        if curve.region == "mouth" and abs(values).max() >= VISIBLE
    ]
    assert drawn + mouth[-1].hidden == len(moving)


def test_requested_curves_are_drawn_even_at_rest_and_no_others() -> None:
    wanted = ("JawOpen", "BrowInnerUp", "EyeBlinkLeft")
    drawn = curve_groups([study(calm_take())], wanted)
    assert [group.region for group in drawn] == ["jaw", "brow", "eyelid"]
    assert [line.label for group in drawn for line in group.lines] == list(wanted)


def test_of_two_takes_curves_that_move_in_either_are_drawn() -> None:
    raised = moved(calm_take(), "CTRL_L_brow_raiseIn.ty", 0.7)
    regions = [group.region for group in curve_groups([study(calm_take()), study(raised)])]
    assert regions == ["mouth", "jaw", "brow"]

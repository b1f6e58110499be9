"""The rules ask for what phonetics knows, at the right time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.board import AUDIO_DRIVEN, CHANNEL_INDEX, REGION_OF
from cstalk_bridge.models.emotions import CONDITIONS, EMOTIONS, MOUTH_GUARD
from cstalk_bridge.models.phones import FROM_IPA, PHONES, SPLIT, gestures
from cstalk_bridge.models.timing import ROW_RATE_HZ
from cstalk_bridge.models.training.rules import (
    ENVELOPE_OF,
    ENVELOPES,
    GESTURES,
    PHONE_GESTURES,
    POSTURES,
    SILENT_SHARE,
    STRESS_LIFTS,
    envelopes_of,
    face_targets,
    rule_curves,
)

COLUMN = {name: column for column, name in enumerate(GESTURES)}


def test_every_gesture_moves_channels_of_the_board() -> None:
    assert all(
        channel in CHANNEL_INDEX for gesture in GESTURES.values() for channel in gesture.channels
    )


def test_every_symbol_maps_onto_the_table() -> None:
    targets = {*FROM_IPA.values(), *(phone for pair in SPLIT.values() for phone in pair)}
    assert targets <= set(PHONES)
    assert gestures("AY") == ("AA", "IH")
    assert gestures("+NOISE+") == ("SIL",)


def test_only_bilabials_seal_the_lips() -> None:
    sealing = {
        p
        for p, row in zip(PHONES, PHONE_GESTURES, strict=True)
        if row[COLUMN["lips_together"]] == 1
    }
    assert sealing == {"P", "B", "M"}


def test_a_short_bilabial_between_vowels_seals_and_lets_go() -> None:
    segments = [(0.1, 0.3, "AA"), (0.3, 0.36, "B"), (0.36, 0.6, "AA")]
    lips = rule_curves(segments, 40)[:, COLUMN["lips_together"]]
    assert lips[16] > 0.9
    assert lips[10] < 0.05
    assert lips[23] < 0.05


def test_rounding_reaches_further_than_a_closure() -> None:
    segments = [(0.0, 0.5, "AA"), (0.5, 0.6, "W"), (0.6, 1.0, "AA")]
    curves = rule_curves(segments, 50)
    early = 21  # 80 ms before the w
    assert curves[early, COLUMN["purse"]] > 0.1
    assert (
        rule_curves([(0.0, 0.5, "AA"), (0.5, 0.6, "B")], 50)[early, COLUMN["lips_together"]] < 0.02
    )


def test_silence_is_a_mouth_at_rest() -> None:
    assert np.abs(rule_curves([(0.0, 0.5, "SIL")], 25)).max() == 0.0
    assert np.abs(rule_curves([], 25)).max() == 0.0


BROW = list(ENVELOPES).index("brow")
NAMES = list(AUDIO_DRIVEN)


def trajectory(spoken: range | list[int], rows: range) -> dict[str, np.ndarray]:
    found = envelopes_of(np.array(spoken), np.array(rows))
    assert found.shape == (len(rows), len(ENVELOPES))
    return dict(zip(ENVELOPES, found.T, strict=True))


def test_a_phrase_brings_a_part_up_and_its_end_lets_it_fade() -> None:
    envelopes = trajectory(range(50, 151), range(400))
    for name, swell in ENVELOPES.items():
        risen = 1.0 - math.exp(-1.0 / swell.attack_s)
        assert envelopes[name][:51].max() == 0.0
        assert envelopes[name][100] == pytest.approx(risen, abs=1e-6)
        whole = 1.0 - math.exp(-2.0 / swell.attack_s)
        faded = whole * math.exp(-1.0 / swell.release_s)
        assert envelopes[name][150 + ROW_RATE_HZ] == pytest.approx(faded, abs=1e-6)


def test_parts_come_and_go_one_after_the_other() -> None:
    envelopes = trajectory(range(50, 151), range(400))
    assert envelopes["nose"][60] > envelopes["eyelid_cheek"][60] > envelopes["brow"][60]
    assert envelopes["nose"][200] < envelopes["eyelid_cheek"][200] < envelopes["brow"][200]


def test_a_second_phrase_continues_from_the_state_of_the_first() -> None:
    once, twice = (trajectory(spoken, range(300))["brow"] for spoken in ([*range(50)], TWO_PHRASES))
    assert twice[100] == pytest.approx(once[100], abs=1e-6)
    assert (np.diff(twice[100:151]) > 0).all()


TWO_PHRASES = [*range(50), *range(100, 151)]


def test_every_channel_has_the_course_of_its_part() -> None:
    parts = dict(
        zip(NAMES, [list(ENVELOPES)[place] for place in ENVELOPE_OF.tolist()], strict=True)
    )
    assert parts["CTRL_L_brow_down.ty"] == "brow"
    assert parts["CTRL_R_eye_cheekRaise.ty"] == "eyelid_cheek"
    assert parts["CTRL_L_nose.ty"] == "nose"
    assert parts["CTRL_L_mouth_cornerPull.ty"] == parts["CTRL_C_jaw.ty"] == "mouth"
    lifted = {REGION_OF[name] for name, lift in zip(NAMES, STRESS_LIFTS, strict=True) if lift}
    assert lifted == {"eyelid_cheek", "nose"}


def test_without_speech_no_envelope_rises() -> None:
    assert envelopes_of(np.array([]), np.arange(9)).tolist() == [[0.0] * len(ENVELOPES)] * 9


@given(st.lists(st.integers(0, 999), unique=True), st.lists(st.floats(-50, 1500), max_size=9))
def test_a_swell_is_a_share_and_never_jumps(spoken: list[int], rows: list[float]) -> None:
    at = np.array(sorted(rows))
    envelopes = envelopes_of(np.array(sorted(spoken)), at)
    assert ((envelopes >= 0.0) & (envelopes <= 1.0)).all()
    slow = envelopes[:, BROW]
    assert (
        np.abs(np.diff(slow)) <= np.diff(at) / ROW_RATE_HZ / ENVELOPES["brow"].attack_s + 1e-5
    ).all()


def face(
    emotion: str,
    *,
    stress: float = 0.0,
    swell: float = 1.0,
    guard: float = MOUTH_GUARD,
    **gestures: float,
) -> dict[str, float]:
    row = torch.zeros(1, 1, len(GESTURES))
    for name, value in gestures.items():
        row[0, 0, list(GESTURES).index(name)] = value
    conditions = torch.zeros(1, len(CONDITIONS))
    conditions[0, EMOTIONS.index(emotion)], conditions[0, -1] = 1.0, guard
    envelopes = torch.full((1, 1, len(ENVELOPES)), swell)
    values = face_targets(row, torch.full((1, 1), stress), envelopes, conditions)
    return dict(zip(NAMES, values[0, 0].tolist(), strict=True))


def test_a_happy_face_smiles_and_an_angry_one_frowns() -> None:
    assert face("happy")["CTRL_L_mouth_cornerPull.ty"] > 0.4
    assert face("angry")["CTRL_R_brow_down.ty"] > 0.3
    assert max(map(abs, face("neutral").values())) == 0.0


def test_every_emotion_has_a_posture_of_its_own() -> None:
    for index, name in enumerate(EMOTIONS):
        assert (POSTURES[index].abs().sum() > 0) == (name != "neutral")


def test_an_emotion_does_not_part_closed_lips() -> None:
    closed = face("disgusted", lips_together=1.0)
    assert closed["CTRL_L_mouth_upperLipRaise.ty"] == 0.0
    assert closed["CTRL_L_mouth_lipsTogetherU.ty"] == 1.0


def test_neighbouring_phones_do_not_part_closed_lips() -> None:
    closed = face("neutral", lips_together=1.0, lower_depress=0.3, upper_raise=0.2, jaw=0.1)
    assert closed["CTRL_L_mouth_lowerLipDepress.ty"] == closed["CTRL_R_mouth_upperLipRaise.ty"] == 0
    assert closed["CTRL_C_jaw.ty"] == pytest.approx(0.1)
    half = face("neutral", lips_together=0.5, lower_depress=0.3)
    assert half["CTRL_L_mouth_lowerLipDepress.ty"] == pytest.approx(0.15)


def test_the_mouth_guard_is_the_share_of_a_smile_that_speech_replaces() -> None:
    def smile(stress: float, guard: float) -> float:
        return face("happy", stress=stress, guard=guard)["CTRL_L_mouth_cornerPull.ty"]

    assert smile(1.0, 0.4) == pytest.approx(0.6 * smile(0.0, 0.4))
    assert smile(1.0, 0.0) == smile(0.0, 1.0)
    assert smile(1.0, 1.0) == 0.0
    brows = [face("angry", stress=1.0, guard=guard)["CTRL_L_brow_down.ty"] for guard in (0.0, 1.0)]
    assert brows[0] == brows[1] > 0.3


def test_an_emotion_shows_more_once_somebody_spoke() -> None:
    before, after = (face("sad", swell=swell)["CTRL_L_brow_raiseIn.ty"] for swell in (0.0, 1.0))
    assert before == pytest.approx(SILENT_SHARE * after)


def test_the_left_side_shows_a_little_more() -> None:
    happy = face("happy")
    left, right = (happy[f"CTRL_{side}_mouth_cornerPull.ty"] for side in "LR")
    assert right < left < 1.15 * right

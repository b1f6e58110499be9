"""The rules ask for what phonetics knows, at the right time."""

from __future__ import annotations

import numpy as np

from models.board import INDEX
from models.training.phones import FROM_IPA, PHONES, SPLIT, gestures
from models.training.rules import GESTURES, TARGETS, rule_curves

COLUMN = {name: column for column, name in enumerate(GESTURES)}


def test_every_gesture_moves_channels_of_the_board() -> None:
    assert all(channel in INDEX for gesture in GESTURES.values() for channel in gesture.channels)


def test_every_symbol_maps_onto_the_table() -> None:
    targets = {*FROM_IPA.values(), *(phone for pair in SPLIT.values() for phone in pair)}
    assert targets <= set(PHONES)
    assert gestures("AY") == ("AA", "IH")
    assert gestures("+NOISE+") == ("SIL",)


def test_only_bilabials_seal_the_lips() -> None:
    sealing = {
        p for p, row in zip(PHONES, TARGETS, strict=True) if row[COLUMN["lips_together"]] == 1
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

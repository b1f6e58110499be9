"""Frame rates: the table, and what a wrong name is told."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock.rate import FRAME_RATES, parse_rate
from bridge.errors import UserError


def test_table_holds_every_promised_rate() -> None:
    names = "23.976 24 25 29.97 29.97df 30 47.952 48 50 59.94 59.94df 60 72 90 96 100 119.88 120"
    assert list(FRAME_RATES) == names.split()


@pytest.mark.parametrize("name", FRAME_RATES)
def test_name_numbers_and_nominal_agree(name: str) -> None:
    rate = FRAME_RATES[name]
    assert rate.hz == pytest.approx(float(name.removesuffix("df")), abs=0.001)
    assert rate.nominal == round(rate.hz)
    assert rate.frame_s == Fraction(rate.denominator, rate.numerator)
    assert rate.drop_frame == name.endswith("df")


def test_case_and_spaces_do_not_matter() -> None:
    assert parse_rate(" 29.97DF ") is FRAME_RATES["29.97df"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("23.98", "23.976"),
        ("23.976024", "23.976"),
        ("24000/1001", "23.976"),
        ("24.00", "24"),
        ("24/1", "24"),
        ("30000/1001", "29.97"),
        ("47.95", "47.952"),
        ("48000/1001", "47.952"),
        ("59.9401", "59.94"),
        ("119.880", "119.88"),
        ("120000/1001", "119.88"),
        ("120.0", "120"),
    ],
)
def test_rates_are_known_by_their_fractions_and_roundings(text: str, name: str) -> None:
    assert parse_rate(text) is FRAME_RATES[name]


@given(st.sampled_from(sorted(FRAME_RATES)), st.integers(2, 6))
def test_every_rate_is_known_however_it_is_rounded(name: str, decimals: int) -> None:
    rate = FRAME_RATES[name]
    if not rate.drop_frame:
        assert parse_rate(f"{rate.numerator}/{rate.denominator}") is rate
        assert parse_rate(f"{rate.hz:.{decimals}f}") is rate


@pytest.mark.parametrize("text", ["23.97", "23.9", "29.98", "1/0", "0/1", "24000/1000.1", "24.01"])
def test_what_is_near_a_rate_is_none(text: str) -> None:
    with pytest.raises(UserError, match="no frame rate"):
        parse_rate(text)


def test_unknown_rate_lists_what_there_is() -> None:
    with pytest.raises(UserError, match=r"no frame rate '61'.*24, 25, .*59\.94df, 60"):
        parse_rate("61")

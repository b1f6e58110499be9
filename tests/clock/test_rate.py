"""Frame rates: the table, and what a wrong name is told."""

from fractions import Fraction

import pytest

from bridge.clock.rate import FRAME_RATES, parse_rate
from bridge.errors import UserError


def test_table_holds_every_promised_rate() -> None:
    names = ["24", "25", "29.97", "29.97df", "30", "48", "50", "59.94", "59.94df", "60"]
    assert list(FRAME_RATES) == names


@pytest.mark.parametrize("name", FRAME_RATES)
def test_name_numbers_and_nominal_agree(name: str) -> None:
    rate = FRAME_RATES[name]
    assert rate.hz == pytest.approx(float(name.removesuffix("df")), abs=0.001)
    assert rate.nominal == round(rate.hz)
    assert rate.frame_s == Fraction(rate.denominator, rate.numerator)
    assert rate.drop_frame == name.endswith("df")


def test_case_and_spaces_do_not_matter() -> None:
    assert parse_rate(" 29.97DF ") is FRAME_RATES["29.97df"]


def test_unknown_rate_lists_what_there_is() -> None:
    with pytest.raises(UserError, match=r"no frame rate '61'.*24, 25, .*59\.94df, 60"):
        parse_rate("61")

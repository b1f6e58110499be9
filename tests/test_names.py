from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.names import name_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", " ada "),
        ("Zo\u00eb", "ZOE\u0308"),
        ("Stra\u00dfe", "STRASSE"),
        ("\uff21da", "Ada"),
        ("\ufb01lm", "film"),
    ],
)
def test_names_that_look_alike_are_the_same(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("Ada", "Ad"), ("Ada 1", "Ada1"), ("a_b", "a-b")])
def test_others_are_not(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@given(st.text(max_size=40))
def test_a_key_is_its_own_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)

from __future__ import annotations

import pytest

from bridge.errors import UserError
from bridge.network import check_guards
from models.emotions import MOUTH_GUARD
from tests.networks import GUARDED, UNGUARDED, small_generator


def test_every_guard_that_the_weights_do_not_know_is_told_where_it_was_set() -> None:
    generator = small_generator(UNGUARDED)
    check_guards(generator, {"A: mouth_guard": MOUTH_GUARD})
    with pytest.raises(UserError) as caught:
        check_guards(generator, {"A": 0.1, "B": MOUTH_GUARD, "C": 0.9})
    assert [problem.where for problem in caught.value.problems] == ["A", "C"]
    assert "trained without" in str(caught.value.problems[0])


def test_weights_that_know_a_guard_take_any() -> None:
    check_guards(small_generator(GUARDED), {"A": 0.0, "B": 1.0})

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.system.files import atomic_write, name_key

if TYPE_CHECKING:
    from pathlib import Path


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
def test_names_that_look_alike_are_equal(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("Ada", "Ad"), ("Ada 1", "Ada1"), ("a_b", "a-b")])
def test_different_names_differ(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


@given(st.text(max_size=40))
def test_the_key_of_a_key_is_itself(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)


def test_a_file_exists_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_write(path) as file:
        file.write(b"all")
        assert not path.exists()
    assert path.read_bytes() == b"all"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(TypeError), atomic_write(path, overwrite=True) as file:
        file.writelines(cast("list[bytes]", [b"half", None]))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_kept_by_default(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    path.write_bytes(b"before")
    with pytest.raises(UserError, match="already exists"), atomic_write(path):
        pass
    with atomic_write(path, overwrite=True) as file:
        file.write(b"after")
    assert path.read_bytes() == b"after"

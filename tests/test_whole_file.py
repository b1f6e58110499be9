from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.errors import UserError
from bridge.whole_file import whole_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_there_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with whole_file(path) as file:
        file.write(b"all")
        assert not path.exists()
    assert path.read_bytes() == b"all"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(TypeError), whole_file(path, overwrite=True) as file:
        file.writelines([b"half", None])
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_there_is_kept_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    path.write_bytes(b"before")
    with pytest.raises(UserError, match="is there already"), whole_file(path):
        pass
    with whole_file(path, overwrite=True) as file:
        file.write(b"after")
    assert path.read_bytes() == b"after"

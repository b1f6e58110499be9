from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING, cast

import pytest

from cstalk_bridge.models.files import atomic_write, write_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with atomic_write(path) as file:
        file.write(b"after")
        file.flush()
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.writelines(cast("list[bytes]", [b"half", None]))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_its_place_is_an_error_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.mkdir()
    with pytest.raises(OSError), atomic_write(path) as file:  # noqa: PT011 - by system
        file.write(b"x")
    assert list(tmp_path.iterdir()) == [path]
    assert path.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_private_file_is_its_users_alone(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a", is_private=True):
        pass
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


@pytest.mark.parametrize(("content", "expected"), [("é\n", b"\xc3\xa9\n"), (b"\r\n", b"\r\n")])
def test_text_and_bytes_are_written_as_they_are(
    tmp_path: Path, content: bytes | str, expected: bytes
) -> None:
    path = tmp_path / ("n" * 250)
    write_file(path, content)
    assert path.read_bytes() == expected


def test_folders_are_made_where_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "a"
    with pytest.raises(FileNotFoundError):
        write_file(path, "x")
    assert not (tmp_path / "one").exists()
    write_file(path, "x", parents=True)
    assert path.read_text() == "x"

"""Files that are edited in the ways of editors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cstalk_bridge.config.watch import MISSING_LOOKS, FileWatch, mark_of

if TYPE_CHECKING:
    from pathlib import Path


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_that_stays_as_it_is_is_never_returned(tmp_path: Path) -> None:
    watch = FileWatch([written(tmp_path / "a.yaml", "a")])
    assert [watch.look() for _ in range(3)] == [frozenset()] * 3


def test_a_changed_file_is_returned_once_and_only_when_it_is_at_rest(tmp_path: Path) -> None:
    path = written(tmp_path / "a.yaml", "a")
    watch = FileWatch([path])
    for text in ("ab", "abc", "abcd"):
        written(path, text)
        assert watch.look() == frozenset()
    assert [watch.look(), watch.look()] == [{path}, frozenset()]


def test_a_file_that_is_replaced_by_a_rename_is_returned(tmp_path: Path) -> None:
    """Also where the new one has the size and the time of the old one."""
    path = written(tmp_path / "a.yaml", "a: 1")
    stat = path.stat()
    watch = FileWatch([path])
    other = written(tmp_path / "b.yaml", "a: 2")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)
    assert [watch.look(), watch.look()] == [frozenset(), {path}]


def test_a_file_that_is_missing_for_a_moment_is_no_change(tmp_path: Path) -> None:
    path = written(tmp_path / "a.yaml", "a")
    watch = FileWatch([path])
    hidden = path.rename(tmp_path / "a.yaml~")
    assert [watch.look() for _ in range(3)] == [frozenset()] * 3
    hidden.rename(path)
    assert [watch.look() for _ in range(3)] == [frozenset()] * 3


def test_a_file_that_stays_missing_is_returned_and_so_is_its_return(tmp_path: Path) -> None:
    path = written(tmp_path / "a.yaml", "a")
    watch = FileWatch([path])
    path.unlink()
    looks = [watch.look() for _ in range(MISSING_LOOKS + 4)]
    returned = [set(look) for look in looks]
    assert (returned.count({path}), returned.count(set())) == (1, MISSING_LOOKS + 3)
    written(path, "b")
    assert [watch.look(), watch.look()] == [frozenset(), {path}]


def test_a_change_between_the_reading_and_the_first_look_is_not_missed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.yaml", "a")
    read = mark_of(path)
    written(path, "changed")
    watch = FileWatch([path], {path: read})
    assert {path} in (watch.look(), watch.look())


def test_other_files_are_followed_from_then_on(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a", "a"), written(tmp_path / "b", "b")
    watch = FileWatch([first])
    written(first, "changed")
    watch.follow([first, second])
    assert watch.paths == {first, second}
    assert {first} in (watch.look(), watch.look())
    watch.follow([second])
    written(first, "again")
    assert [watch.look(), watch.look()] == [frozenset()] * 2

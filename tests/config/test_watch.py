"""Files that are edited in the ways of editors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cstalk_bridge.config.schema import Config
from cstalk_bridge.config.watch import (
    MISSING_LOOKS,
    FileWatch,
    config_changes,
    config_values,
    mark_of,
    value_of,
)
from cstalk_bridge.settings.declaration import Effect

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


def changes(before: dict[str, object], after: dict[str, object]) -> tuple[list[str], ...]:
    """Return the labels of changes, and the names of added and removed subjects."""
    first, second = (config_values(Config.model_validate(data)) for data in (before, after))
    found = config_changes(first, second)
    return [change.label for change in found.settings], list(found.added), list(found.removed)


def test_equal_configs_differ_in_nothing() -> None:
    data: dict[str, object] = {"fps": 30, "subjects": [{"name": "Ann", "alive": {"gaze": 0.5}}]}
    assert changes(data, data) == ([], [], [])


def test_each_setting_that_differs_is_named_with_its_subject() -> None:
    before: dict[str, object] = {"subjects": [{"name": "Ann"}, {"name": "Bea"}]}
    after: dict[str, object] = {
        "lookahead_ms": 120,
        "control": {"osc": True},
        "subjects": [
            {"name": "Bea", "alive": {"gaze": 0.5}, "links": ["osc://127.0.0.1:9000"]},
            {"name": "Ann", "audio": {"gate": {"hold_ms": 200}}, "emotion": "happy"},
        ],
    }
    labels, added, removed = changes(before, after)
    assert sorted(labels) == [
        "Ann: audio.gate.hold_ms",
        "Ann: emotion",
        "Bea: alive.gaze",
        "Bea: links",
        "control.osc",
        "lookahead_ms",
    ]
    assert (added, removed) == ([], [])


def test_a_renamed_subject_is_another_one() -> None:
    before: dict[str, object] = {"subjects": [{"name": "Ann"}, {"name": "Bea"}]}
    after: dict[str, object] = {"subjects": [{"name": "Ann"}, {"name": "Cid", "emotion": "sad"}]}
    assert changes(before, after) == ([], ["Cid"], ["Bea"])


def test_changes_are_sorted_by_their_effect() -> None:
    before = config_values(Config())
    after = config_values(Config.model_validate({"fps": 30, "lookahead_ms": 120}))
    found = config_changes(before, after)
    assert [each.label for each in found.of(Effect.AT_START)] == ["fps"]
    assert [each.label for each in found.of(Effect.BETWEEN_TAKES)] == ["lookahead_ms"]
    assert found.of(Effect.AT_ONCE) == ()


def test_a_setting_within_nothing_has_no_value() -> None:
    assert value_of(Config(), "control.osc") is None
    assert value_of(Config().subjects[0], "audio.gate.enabled") is False

"""Differences between two configs."""

from __future__ import annotations

from cstalk_bridge.config.changes import config_changes, config_values, value_of
from cstalk_bridge.config.schema import Config
from cstalk_bridge.settings.declaration import Effect


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

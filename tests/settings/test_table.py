"""The table of settings, and every place that derives from it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from cstalk_bridge.config.load import ConfigOverrides, override
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.face.procedural.animation import LEVEL_NAMES, Levels
from cstalk_bridge.models.errors import UserError
from cstalk_bridge.settings.declaration import Effect, Scope, Setting
from cstalk_bridge.settings.subject import LEVELS
from cstalk_bridge.settings.table import SETTINGS, flag_settings, live_settings, single_settings
from cstalk_bridge.takes.generate import GenerationConfig
from cstalk_bridge.timecode.smpte import FRAME_RATES
from tools.settings import CONFIG, CONTROL, config_text, effect_table, main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("entry", SETTINGS.values(), ids=SETTINGS)
def test_every_help_text_is_a_sentence(entry: Setting) -> None:
    for text in filter(None, (entry.help, entry.flag_note)):
        assert re.fullmatch(r"[A-Z].*\.", text), text
    assert not entry.help.endswith("..")


def test_every_config_key_is_in_the_table_and_every_setting_is_a_key() -> None:
    def keys(model: object, prefix: str = "") -> set[str]:
        found = set()
        for name, field in getattr(model, "model_fields", {}).items():
            found.add(prefix + name)
            found |= keys(field.annotation, f"{prefix}{name}.")
        return found

    bridge = keys(Config) - {"subjects"}
    inside = ("rest.", "emotions.")
    subject = {key for key in keys(SubjectConfig) if not key.startswith(inside)}
    known = bridge | subject | {f"alive.{part}" for part in LEVEL_NAMES}
    assert known == {key for key, entry in SETTINGS.items() if entry.scope is not Scope.LIVE}


def test_the_level_settings_are_those_of_a_face() -> None:
    assert [entry.name for entry in LEVELS] == [field.name for field in fields(Levels)]
    assert {entry.name: entry.default for entry in LEVELS} == {
        part: getattr(Levels(), part) for part in LEVEL_NAMES
    }


def test_every_frame_rate_is_named() -> None:
    fps = SETTINGS["fps"]
    first, *_, last = FRAME_RATES
    assert f"{first} to {last}" in fps.help
    assert set(FRAME_RATES) <= set(re.split(r"[ ,()/]+|or |\.$|\. ", fps.note))


def test_the_config_file_and_the_tables_of_the_documents_are_up_to_date() -> None:
    assert CONFIG.read_text(encoding="utf-8") == config_text()
    assert main(["--check"]) == 0


def test_what_the_page_and_commands_change_live_needs_no_restart_in_the_file() -> None:
    live = [entry for entry in live_settings() if entry.scope is not Scope.LIVE]
    assert len(live) > 5
    assert all(entry.effect is not Effect.AT_START for entry in live)


def test_each_setting_has_one_row_in_the_table_of_effects() -> None:
    rows = effect_table()
    singles = [*single_settings(Scope.BRIDGE), *single_settings(Scope.SUBJECT)]
    assert all(rows.count(f"`{entry.key}`") == 1 for entry in singles)


@pytest.mark.parametrize(
    "entry",
    [entry for entry in flag_settings() if entry.minimum is not None],
    ids=lambda entry: entry.name,
)
def test_a_flag_has_the_limits_of_its_setting(entry: Setting) -> None:
    low, high = entry.bounds
    for value in (low, high):
        override(Config(), ConfigOverrides(**{entry.option: f"{value:.0f}"}))
    for value in (low - 20, high + 20):
        with pytest.raises(UserError, match=entry.flag):
            override(Config(), ConfigOverrides(**{entry.option: f"{value:.0f}"}))


def test_takes_and_subjects_have_the_same_defaults() -> None:
    subject, take = SubjectConfig(), GenerationConfig()
    assert (take.mouth_guard, take.seed) == (subject.mouth_guard, subject.seed)
    assert (take.lookahead_ms, take.levels) == (Config().lookahead_ms, subject.alive)


def test_a_subject_setting_is_named_in_few_files() -> None:
    """Text that describes it, as in README, is not counted: nothing depends on it."""
    sources = [
        path
        for path in (ROOT / "bridge").rglob("*")
        if path.suffix in {".py", ".js", ".html"} and "vendor" not in path.parts
    ]
    code = re.compile(r"mouth_guard|mouth-guard|MOUTH_GUARD|mouthGuard")
    named = {
        path.relative_to(ROOT).as_posix()
        for path in (*sources, CONFIG, CONTROL)
        if code.search(path.read_text(encoding="utf-8"))
    }
    written_by_tool = {"config.yaml", "docs/control.md"}
    assert named - written_by_tool == {
        "bridge/settings/face.py",
        "bridge/settings/subject.py",
        "bridge/face/emotion.py",
        "bridge/control/subject_controller.py",
        "bridge/takes/generate.py",
    }


def test_one_declaration_makes_a_setting_known_everywhere() -> None:
    """Two files declare it; what else a real one touches is where it acts."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.settings.imaginary"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "known everywhere\n", done.stderr

"""What keys do, at the desk of a running bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.control.desk import Desk
from bridge.monitor.keys import EMOTION_KEYS, Keys
from bridge.monitor.view import draw
from models.emotions import EMOTIONS
from tests.control.running import RunningBridge, running_bridge

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    with running_bridge(tmp_path_factory.mktemp("keys"), "One", "Two") as running:
        yield running


def test_every_emotion_has_a_key_that_the_help_names(bridge: RunningBridge) -> None:
    keys = Keys(bridge.desk)
    assert list(EMOTION_KEYS.values()) == list(EMOTIONS)
    for key, name in EMOTION_KEYS.items():
        keys.press(key)
        assert bridge.desk.subject("One").mix == {name: 1.0}
        assert f"{key} {name}" in keys.lines[0]
    assert bridge.desk.subject("Two").mix == {}


def test_intensity_goes_in_steps_and_stays_in_its_range(bridge: RunningBridge) -> None:
    keys, subject = Keys(bridge.desk), bridge.desk.subject("One")
    for _ in range(3):
        keys.press("+")
    assert subject.factor == pytest.approx(1.3)
    for _ in range(30):
        keys.press("-")
    assert subject.factor == 0.0
    for _ in range(10):
        keys.press("=")
    assert subject.factor == pytest.approx(1.0)


def test_a_voice_chooses_until_a_digit_or_the_same_key_does(bridge: RunningBridge) -> None:
    keys, subject = Keys(bridge.desk), bridge.desk.subject("One")
    keys.press("a")
    assert (subject.mix, subject.shares.auto) == ({}, 1.0)
    keys.press("1")
    assert subject.mix == {"happy": 1.0}
    keys.press("a")
    assert subject.shares.auto == 0.0


def test_tab_goes_round_the_subjects(bridge: RunningBridge) -> None:
    keys = Keys(bridge.desk)
    names = [keys.name]
    for _ in range(2):
        keys.press("\t")
        names.append(keys.name)
    assert names == ["One", "Two", "One"]


def test_muting_and_pausing_go_on_and_off(bridge: RunningBridge) -> None:
    keys, subject = Keys(bridge.desk), bridge.desk.subject("One")
    for expected in (True, False):
        keys.press("m")
        keys.press("p")
        assert (subject.is_muted, subject.is_paused) == (expected, expected)


def test_a_take_is_started_and_ended(bridge: RunningBridge) -> None:
    keys = Keys(bridge.desk)
    keys.press("r")
    bridge.wait_for_take()
    keys.press("r")
    assert not bridge.desk.takes.is_recording
    assert [text for text in bridge.notices if "was recorded" in text]


def test_help_shows_all_keys_and_hides_them(bridge: RunningBridge) -> None:
    keys = Keys(bridge.desk)
    assert len(keys.lines) == 1
    keys.press("?")
    told = " ".join(keys.lines)
    assert all(word in told for word in ("+ -", "Tab", "m mute", "p pause", "r record", "q quit"))
    assert max(map(len, keys.lines)) < 79
    keys.press("?")
    assert len(keys.lines) == 1


def test_other_keys_do_nothing_and_without_a_bridge_none_breaks() -> None:
    keys = Keys(Desk())
    for number in range(256):
        if chr(number) != "?":
            keys.press(chr(number))
    assert keys.name == ""
    keys.press("?")
    assert "now 1.0" in keys.lines[1]


@pytest.mark.parametrize("height", [1, 2, 3, 12, 40])
def test_the_picture_ends_with_the_keys_whatever_its_height(
    bridge: RunningBridge, height: int
) -> None:
    keys = Keys(bridge.desk)
    lines = draw(bridge.metrics, bridge.now(), 80, height, guide=keys).plain.split("\n")
    assert len(lines) <= height
    assert lines[-1].startswith(" One  0 neutral")


def test_q_ends_the_run(bridge: RunningBridge) -> None:
    """The last test of this bridge."""
    Keys(bridge.desk).press("q")
    bridge.unreal.all_waiting()
    bridge.wait_for(lambda: bridge.unreal.all_waiting() == [])

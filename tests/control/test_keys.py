"""Keys: each is in the table once, and does the same from the terminal and from the page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.config.schema import PreviewConfig
from cstalk_bridge.control.keys import KEY_ACTIONS, page_keys
from cstalk_bridge.dashboard.screen import KeyBindings
from cstalk_bridge.preview.server import open_preview
from cstalk_bridge.preview.status import recording_state, subject_state
from tests.control.running import RunningBridge, running_bridge
from tests.networks import GUARDED, small_generator
from tests.preview.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    with running_bridge(tmp_path_factory.mktemp("keys"), "Anna", "Ben") as running:
        yield running


@pytest.fixture(scope="module")
def serving(bridge: RunningBridge) -> Iterator[Serving]:
    with open_preview(
        PreviewConfig(port=0),
        load=lambda: small_generator(GUARDED),
        subjects=("Anna", "Ben"),
        rate_hz=60.0,
        controller=bridge.controller,
    ) as preview:
        found = Serving(preview)
        preview.start(found.notices.append)
        yield found


def test_no_key_has_two_actions() -> None:
    keys = Counter(key for action in KEY_ACTIONS for key in action.keys)
    assert set(keys.values()) == {1}
    assert len({action.name for action in KEY_ACTIONS}) == len(KEY_ACTIONS)


def test_the_page_is_told_of_all_keys_but_those_of_a_terminal(serving: Serving) -> None:
    told = serving.ask("/api/session").document["keys"]
    assert told == [{**key, "keys": list(key["keys"])} for key in page_keys()]
    names = {action.name for action in KEY_ACTIONS}
    assert names - {key["name"] for key in told} == {"quit"}


def outcome(bridge: RunningBridge) -> list[object]:
    """Return all that keys change, apart from numbers that only count takes."""
    recording = recording_state(bridge.controller.takes)
    subjects = [subject_state(subject) for subject in bridge.controller.subjects]
    return [recording["is_recording"], *subjects]


ACTING = [key for action in page_keys() if action["acts"] for key in action["keys"]]


@pytest.mark.parametrize("key", ACTING)
def test_a_key_does_the_same_in_the_terminal_and_on_the_page(
    serving: Serving, bridge: RunningBridge, key: str
) -> None:
    anna = bridge.controller.subject("Anna")
    outcomes = []
    for press in (
        KeyBindings(bridge.controller).press,
        lambda pressed: serving.ask("/api/key", {"key": pressed, "subject": "Anna"}),
    ):
        anna.emotion({"sad": 0.5}, 0.0)
        anna.auto(0.0, 0.0)
        anna.intensity(1.0, 0.0)
        anna.mute(is_muted=False)
        anna.pause(is_paused=False)
        press(key)
        outcomes.append(outcome(bridge))
        if bridge.controller.takes.is_recording:
            bridge.controller.takes.stop()
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("key", ["q", "n", "?", "\t", "y"])
def test_a_key_that_steers_nothing_is_refused_on_the_page(serving: Serving, key: str) -> None:
    answer = serving.ask("/api/key", {"key": key, "subject": "Anna"})
    assert (answer.status, "steers nothing" in answer.problems) == (400, True)

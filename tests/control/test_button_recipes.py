"""The buttons of docs/hotkeys.md, sent to a running bridge as Companion's module sends them."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from pythonosc.osc_message_builder import OscMessageBuilder

from cstalk_bridge.config.schema import Config
from cstalk_bridge.control.osc_commands import OK
from cstalk_bridge.outputs.osc_messages import decode_packet
from cstalk_bridge.preview.status import subject_state
from tests.control.running import RunningBridge, running_bridge

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "hotkeys.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| (Send [^|]+) \| `([^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)


def arguments(action: str, value: str) -> list[str | int | float]:
    """Return the arguments as companion-module-generic-osc makes them of a field (osc.js)."""
    if action == "Send integer":
        return [int(value)]
    if action == "Send float":
        return [float(value)]
    if action == "Send string":
        return [value]
    assert action == "Send message with multiple arguments"
    words = re.findall(r'"([^"]*)"|(\S+)', value)
    return [text or (float(word) if "." in word else int(word)) for text, word in words]


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    folder = tmp_path_factory.mktemp("buttons")
    with running_bridge(folder, "One", "Two", control={"osc": {"port": 0}}) as running:
        yield running


EFFECTS: dict[str, tuple[str, object]] = {
    "Neutral": ("emotion", {"neutral": 1.0}),
    "Happy": ("emotion", {"happy": 0.8}),
    "Sad": ("emotion", {"sad": 1.0}),
    "Happy, slowly": ("emotion", {"happy": 0.8}),
    "A little surprise": ("emotion", {"happy": 0.8, "surprised": 0.3}),
    "Mute, on": ("is_muted", True),
    "Mute, off": ("is_muted", False),
    "Pause, on": ("is_paused", True),
    "Pause, off": ("is_paused", False),
    "Gain": ("audio_gain_db", 6.0),
}


def test_every_button_does_what_it_says(bridge: RunningBridge) -> None:
    assert len(ROWS) == 13
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as companion:
        companion.settimeout(30.0)
        companion.bind(("127.0.0.1", 0))
        for button, action, path, value in ROWS:
            message = OscMessageBuilder(path)
            for argument in arguments(action, value):
                message.add_arg(argument)
            companion.sendto(message.build().dgram, ("127.0.0.1", bridge.control_port))
            (reply,) = decode_packet(companion.recv(2048))
            assert (reply.address, reply.arguments[0]) == (OK, path), (button, reply)
            for subject in bridge.controller.subjects:
                if button in EFFECTS:
                    field, expected = EFFECTS[button]
                    assert subject_state(subject)[field] == pytest.approx(expected), button
                if button == "Gaze off":
                    assert subject.levels.gaze == 0.0
            if button == "Record":
                bridge.wait_for_take()
    (take,) = bridge.controller.takes.ended
    assert take.identifier.endswith("_Scene_4")


def test_the_hotkeys_of_the_page_are_valid() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(Config.model_validate(yaml.safe_load(block)).hotkeys) == 6

"""Global hotkeys: what a config may say, and keys of a real X server that steer a real bridge."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest

from cstalk_bridge.config.load import load_config
from cstalk_bridge.control.hotkeys import (
    HotkeyService,
    missing_for_hotkeys,
    read_action,
    read_combination,
)
from cstalk_bridge.document import FieldError
from cstalk_bridge.models.errors import UserError
from tests.control.running import RunningBridge, running_bridge
from tests.outputs.receiving import receiver
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_x = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb")

HOTKEYS = {
    "<ctrl>+<alt>+1": "emotion happy",
    "<ctrl>+<alt>+2": "One/weight sad 0.5",
    "<f9>": "mute",
    "<f10>": "record",
    "<f8>": "gain 6",
}

TIMEOUT_S = 60.0


def test_a_config_says_what_keys_do(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"hotkeys: {json.dumps(HOTKEYS)}\n")
    assert load_config(path).hotkeys == HOTKEYS


@pytest.mark.parametrize(
    ("keys", "action", "column", "words"),
    [
        ("<crtl>+1", "mute", 11, "did you mean `<ctrl>`?"),
        ("<ctrl>", "mute", 11, "only modifiers"),
        ("<ctrl>+", "mute", 11, "lacks a key"),
        ("1+1", "mute", 11, "twice"),
        ("F9", "mute", 11, "did you mean `<f9>`?"),
        ("<f9>", "jump", 19, "there is no action 'jump'"),
        ("<f9>", "mite", 19, "did you mean `mute`?"),
        ("<f9>", "emotion glad", 19, "must be neutral, happy"),
        ("<f9>", "gain 99", 19, "must be -60 to 60 dB"),
        ("<f9>", "gain", 19, "it is written `gain gain_db`"),
        ("<f9>", "quit", 19, "there is no action 'quit'"),
        ("<f9>", "state", 19, "there is no action 'state'"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(
    tmp_path: Path, keys: str, action: str, column: int, words: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f'hotkeys: {{"{keys}": "{action}"}}\n')
    with pytest.raises(UserError) as refusal:
        load_config(path)
    (problem,) = refusal.value.problems
    assert words in str(problem)
    place = re.search(r"config\.yaml:1:(\d+)", problem.where)
    assert place is not None
    assert (column == 11) is (place[1] == "11")


@pytest.mark.parametrize("keys", ["a", "<f20>", "<ctrl>+<shift>+<page_up>", "+", "<alt_gr>+/"])
def test_combinations_of_pynput_are_taken(keys: str) -> None:
    assert read_combination(keys) == keys


@pytest.mark.parametrize("keys", ["", "<>", "ctrl+1", "<ctrl>++<alt>"])
def test_other_texts_are_none(keys: str) -> None:
    with pytest.raises(FieldError):
        read_combination(keys)


@pytest.mark.parametrize(
    ("platform", "environment", "is_heard", "words"),
    [
        ("win32", {}, True, ""),
        ("darwin", {}, True, ""),
        ("linux", {"DISPLAY": ":0"}, True, ""),
        ("linux", {}, False, "no X display"),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, False, "Wayland"),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, True, "only keys typed into"),
        ("linux", {"XDG_SESSION_TYPE": "wayland", "DISPLAY": ":0"}, True, "docs/hotkeys.md"),
    ],
)
def test_what_a_desktop_lacks_is_said(
    platform: str, environment: dict[str, str], is_heard: bool, words: str
) -> None:
    heard, missing = missing_for_hotkeys(platform, environment)
    assert (heard, words in missing, bool(missing)) == (is_heard, True, bool(words))


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    with running_bridge(tmp_path_factory.mktemp("hotkeys"), "One", "Two") as running:
        yield running


def test_an_action_is_for_all_subjects_or_for_one(bridge: RunningBridge) -> None:
    one, two = bridge.controller.subjects
    read_action("emotion happy").perform(bridge.controller)
    assert (one.mix, two.mix) == ({"happy": 1.0}, {"happy": 1.0})
    read_action("Two/emotion sad 0.5 happy 0.2").perform(bridge.controller)
    assert (one.mix, two.mix) == ({"happy": 1.0}, {"sad": 0.5, "happy": 0.2})
    read_action("Two/mute").perform(bridge.controller)
    assert (one.is_muted, two.is_muted) == (False, True)
    read_action("mute 0").perform(bridge.controller)
    assert (one.is_muted, two.is_muted) == (False, False)
    read_action("record").perform(bridge.controller)
    bridge.wait_for_take()
    read_action("record stop").perform(bridge.controller)
    assert not bridge.controller.takes.is_recording
    with pytest.raises(UserError, match="no subject 'Three'"):
        read_action("Three/mute").perform(bridge.controller)


def test_without_a_display_the_run_goes_on_and_says_so(
    bridge: RunningBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with HotkeyService(HOTKEYS, bridge.controller):
        assert any("hotkeys: no X display" in text for text in bridge.notices)


@contextmanager
def x_server() -> Iterator[str]:
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "320x240x24"]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        try:
            os.close(writing)
            with os.fdopen(reading) as pipe:
                yield f":{pipe.readline().strip()}"
        finally:
            server.terminate()


PRESS = """
import sys, time
from Xlib import X, XK, display
from Xlib.ext import xtest
screen = display.Display()
codes = [screen.keysym_to_keycode(XK.string_to_keysym(name)) for name in sys.argv[1:]]
for kind, order in ((X.KeyPress, codes), (X.KeyRelease, codes[::-1])):
    for code in order:
        xtest.fake_input(screen, kind, code)
        screen.sync()
        time.sleep(0.02)
"""
"""Presses keys by the XTEST extension, as xdotool does, and lets them go."""


def state_of(port: int) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", "/api/bridge")
    document = json.loads(connection.getresponse().read())
    connection.close()
    return document


@needs_x
def test_keys_of_a_desktop_steer_a_bridge(tmp_path: Path) -> None:
    with receiver() as unreal, x_server() as display:
        subjects = [
            {
                "name": name,
                "audio": {"input": "test"},
                "links": [f"livelink-face://{unreal.target}"],
            }
            for name in ("One", "Two")
        ]
        config = {
            "hotkeys": HOTKEYS,
            "preview": "127.0.0.1:0",
            "recording": {"folder": str(tmp_path / "takes")},
            "subjects": subjects,
        }
        path = tmp_path / "config.yaml"
        path.write_text(json.dumps(config))
        environment = {**os.environ, "DISPLAY": display}
        command = [sys.executable, "-m", "cstalk_bridge", "run", "--no-ui", "--config", str(path)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as run:
            try:
                steer_by_keys(run, environment)
            finally:
                run.terminate()


def steer_by_keys(run: subprocess.Popen[str], environment: dict[str, str]) -> None:
    """Press each hotkey and see its effect on the page's state."""
    assert run.stderr is not None
    said, end_s = "", time.monotonic() + TIMEOUT_S
    while "hotkeys: <ctrl>" not in said:
        assert time.monotonic() < end_s, said
        said += run.stderr.readline()
    address = re.search(r"http://127\.0\.0\.1:(\d+)", said)
    assert address is not None
    port = int(address[1])

    def press(*names: str) -> None:
        subprocess.run([sys.executable, "-c", PRESS, *names], env=environment, check=True)

    def subjects() -> Any:
        return state_of(port)["subjects"]

    def press_until(names: tuple[str, ...], holds: Any) -> None:
        """Press once; the listener may need a moment until the server sends it keys."""
        press(*names)
        wait_until(holds, TIMEOUT_S)

    wait_until(lambda: heard(press, subjects), TIMEOUT_S)
    press_until(
        ("Control_L", "Alt_L", "1"),
        lambda: [one["emotion"] for one in subjects()] == 2 * [{"happy": 1.0}],
    )
    press_until(
        ("Control_L", "Alt_L", "2"),
        lambda: (
            [one["emotion"] for one in subjects()] == [{"happy": 1.0, "sad": 0.5}, {"happy": 1.0}]
        ),
    )
    for expected in (True, False):
        press_until(("F9",), lambda wanted=expected: subjects()[0]["is_muted"] is wanted)
    press_until(("F10",), lambda: state_of(port)["recording"]["is_recording"])
    press_until(("F10",), lambda: state_of(port)["recording"]["ended"])


def heard(press: Any, subjects: Any) -> bool:
    press("F8")
    return bool(subjects()[0]["audio_gain_db"] == 6.0)

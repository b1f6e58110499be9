"""Global hotkeys: combinations of keys that steer the bridge whatever program has the focus.

pynput hears the keyboard (extra `hotkeys`). Its thread only hands an action on, since Windows keeps
the keyboard waiting for it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator

from cstalk_bridge.control.commands import ALL_SUBJECTS, COMMANDS
from cstalk_bridge.control.keys import KEY_ACTIONS, KeyAction
from cstalk_bridge.document import FieldError, nearest
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.worker import STOP_TIMEOUT_S, JobWorker, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cstalk_bridge.control.commands import Command
    from cstalk_bridge.control.controller import Controller


MAX_HOTKEYS = 64

MAX_WAITING = 8
"""Actions that wait for a disk; further presses are dropped and reported."""

POLL_S = 0.5
"""Interval at which it is checked whether keys of the keyboard still arrive."""

MODIFIERS: tuple[str, ...] = ("alt", "alt_gr", "alt_l", "alt_r", "cmd", "cmd_l", "cmd_r")
MODIFIERS += ("ctrl", "ctrl_l", "ctrl_r", "shift", "shift_l", "shift_r")
NAMED_KEYS: tuple[str, ...] = ("backspace", "caps_lock", "delete", "down", "end", "enter")
NAMED_KEYS += ("esc", "home", "insert")
NAMED_KEYS += ("left", "media_next", "media_play_pause", "media_previous", "media_volume_down")
NAMED_KEYS += ("media_volume_mute", "media_volume_up", "menu", "num_lock", "page_down", "page_up")
NAMED_KEYS += ("pause", "print_screen", "right", "scroll_lock", "space", "tab", "up")
NAMED_KEYS += tuple(f"f{number}" for number in range(1, 21))
"""Names of `pynput.keyboard.Key`, https://pynput.readthedocs.io/en/latest/keyboard.html."""


def read_combination(text: str) -> str:
    """Return a combination such as `<ctrl>+<alt>+1`. FieldError where it is none."""
    parts = text.split("+") if text != "+" else ["+"]
    names = [part[1:-1] for part in parts if len(part) > 1]
    for part, name in zip((part for part in parts if len(part) > 1), names, strict=True):
        known = (*MODIFIERS, *NAMED_KEYS)
        if not (part.startswith("<") and part.endswith(">")) or name not in known:
            bare = part.strip("<>").lower()
            named = [f"<{each}>" for each in known]
            raise FieldError(f"there is no key {part[:40]!r}", nearest(f"<{bare}>", named))
    if not all(parts):
        raise FieldError(f"{text[:40]!r} lacks a key", "write keys with + between them")
    if len(set(parts)) < len(parts):
        raise FieldError(f"{text[:40]!r} has a key twice", "name each key once")
    if all(name in MODIFIERS for name in names) and len(names) == len(parts):
        raise FieldError(f"{text[:40]!r} has only modifiers", "add a key, as in <ctrl>+<alt>+1")
    return text


@dataclass(frozen=True, slots=True)
class HotkeyAction:
    """What a hotkey does: the action of a key, or a command with its arguments.

    `subject` is a name, or `*` for all.
    """

    subject: str
    key: KeyAction | None = None
    command: Command | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def perform(self, controller: Controller) -> None:
        """Do it; may wait for a disk. UserError where it cannot be done."""
        if self.command is not None and not self.command.is_of_subject:
            getattr(controller, self.command.name)(**self.arguments)
            return
        for subject in controller.chosen(self.subject):
            if self.command is not None:
                getattr(subject, self.command.name)(**self.arguments)
            elif self.key is not None and self.key.act is not None:
                self.key.act(controller, subject)
                if self.key.is_of_bridge:
                    return


KEY_NAMES = {
    action.name: action for action in KEY_ACTIONS if action.act and not action.is_of_terminal
}
"""The actions of keys by name: a hotkey toggles what the key toggles."""

COMMAND_NAMES = {command.name: command for command in COMMANDS.values() if not command.is_question}


def read_action(text: str) -> HotkeyAction:
    """Read `[SUBJECT/]ACTION` of a key, or `[SUBJECT/]COMMAND ARGUMENTS`. FieldError."""
    head, _, rest = text.strip().partition(" ")
    subject, _, name = head.rpartition("/")
    words, whole = rest.split(), f"{name} {rest}".strip()
    if whole in KEY_NAMES:
        return HotkeyAction(subject or ALL_SUBJECTS, key=KEY_NAMES[whole])
    if name not in COMMAND_NAMES:
        known = dict.fromkeys((*KEY_NAMES, *COMMAND_NAMES))
        raise FieldError(f"there is no action {name[:40]!r}", nearest(name, known))
    command = COMMAND_NAMES[name]
    if name == "emotion" and len(words) == 1:
        words.append("1")
    try:
        arguments = command.read(words)
    except UserError as error:
        what = "; ".join(problem.what for problem in error.problems)
        usage = f"{name} {command.usage}".rstrip()
        raise FieldError(f"{name}: {what}", f"it is written `{usage}`") from None
    return HotkeyAction(subject or ALL_SUBJECTS, command=command, arguments=arguments)


def _checked_action(text: str) -> str:
    read_action(text)
    return text


Combination = Annotated[str, AfterValidator(read_combination)]
ActionText = Annotated[str, AfterValidator(_checked_action)]


def missing_for_hotkeys(platform: str, environment: Mapping[str, str]) -> tuple[bool, str]:
    """Return whether hotkeys can work at all, and what is missing, "" for nothing."""
    if not platform.startswith("linux"):
        return True, ""
    remedy = "bind keys in the desktop's own settings to `oscsend`, as docs/hotkeys.md shows"
    is_wayland = bool(environment.get("WAYLAND_DISPLAY")) or (
        environment.get("XDG_SESSION_TYPE") == "wayland"
    )
    if not environment.get("DISPLAY"):
        what = "Wayland gives no program the keys of another" if is_wayland else "no X display"
        return False, f"{what}; {remedy}"
    if is_wayland:
        return True, f"under Wayland only keys typed into programs of X11 are heard; {remedy}"
    return True, ""


class HotkeyService:
    """Hears the hotkeys of a config within its context, and has a controller do their actions.

    UserError where the package is missing; what the desktop lacks is a notice, and the run goes on.
    """

    def __init__(self, hotkeys: Mapping[str, str], controller: Controller) -> None:
        self._actions = {keys: read_action(text) for keys, text in hotkeys.items()}
        self._controller = controller
        self._jobs = JobWorker("hotkey actions", MAX_WAITING)
        self._worker = Worker("hotkeys", self._run, timeout_s=STOP_TIMEOUT_S)
        self._is_heard = False
        if self._actions:
            self._is_heard, missing = missing_for_hotkeys(sys.platform, os.environ)
            self._missing = missing
            _check_package()

    def __enter__(self) -> HotkeyService:
        if self._actions and self._missing:
            self._controller.notice(f"hotkeys: {self._missing}")
        if self._is_heard:
            self._jobs.start()
            self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_heard:
            self._worker.stop()
            self._jobs.stop(STOP_TIMEOUT_S)

    def _run(self) -> None:
        try:
            keyboard: Any = import_module("pynput.keyboard")
            bindings: dict[str, Callable[[], None]] = {
                keys: partial(self._press, keys) for keys in self._actions
            }
            listener = keyboard.GlobalHotKeys(bindings)
            listener.start()
            listener.wait()
        except Exception as error:  # noqa: BLE001 - a desktop's refusal must not end the show
            self._controller.notice(f"hotkeys: none is heard, {_one_line(error)}")
            return
        self._controller.notice(f"hotkeys: {', '.join(self._actions)}")
        if getattr(listener, "IS_TRUSTED", True) is False:
            where = "System Settings, Privacy & Security, Input Monitoring and Accessibility"
            self._controller.notice(f"hotkeys: macOS hears none until this program is in {where}")
        while not self._worker.wait(POLL_S):
            if not listener.is_alive():
                self._controller.notice("hotkeys: the keyboard is not heard any more; restart")
                return
        listener.stop()

    def _press(self, keys: str) -> None:
        if not self._jobs.submit(partial(self._perform, keys)):
            self._controller.notice(f"hotkey {keys}: too many at once, it was dropped")

    def _perform(self, keys: str) -> None:
        try:
            self._actions[keys].perform(self._controller)
        except UserError as error:
            self._controller.notice(f"hotkey {keys}: {error}")


def _check_package() -> None:
    from importlib.util import find_spec

    if find_spec("pynput") is None:
        what = "global hotkeys need the package pynput"
        remedy = "pip install 'cstalk-bridge[hotkeys]', or leave `hotkeys` out"
        raise UserError(Problem("hotkeys", what, remedy))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

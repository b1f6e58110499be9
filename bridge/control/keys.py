"""Keys that steer a running bridge: one table for the terminal and for the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cstalk_bridge.models.emotions import EMOTIONS
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.settings.subject import MAX_INTENSITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.control.subject_controller import SubjectController

    Act = Callable[[Controller, SubjectController], None]


INTENSITY_STEP = 0.1
"""Change of intensity per key press."""

EMOTION_KEYS = {str(number): name for number, name in enumerate(EMOTIONS)}
"""Keys of the emotions."""


@dataclass(frozen=True, slots=True)
class KeyAction:
    """What keys do to a bridge and to the subject on which they act.

    `name` identifies the action, `label` is for a button and a line of help, `does` for a table.
    Without `act` the action is one of the display: it chooses the next subject, or shows the help.
    `is_of_terminal` marks what only a terminal does, `is_of_bridge` what concerns all subjects.
    """

    name: str
    keys: tuple[str, ...]
    label: str
    does: str
    act: Act | None = None
    is_of_terminal: bool = False
    is_of_bridge: bool = False

    @property
    def shown(self) -> str:
        """Its keys as they are printed."""
        return " ".join("Tab" if key == "\t" else key for key in self.keys)

    @property
    def document(self) -> dict[str, Any]:
        """It as the page reads it."""
        return {
            "name": self.name,
            "keys": self.keys,
            "label": self.label,
            "does": self.does,
            "acts": self.act is not None,
        }


def _choose_emotion(name: str, _controller: Controller, subject: SubjectController) -> None:
    subject.emotion({name: 1.0})


def _toggle_auto(_controller: Controller, subject: SubjectController) -> None:
    """Switch between the estimated emotion of the voice alone, and chosen ones."""
    if subject.voice_weights.auto:
        subject.auto(0.0)
    else:
        subject.emotion({})
        subject.auto(1.0)


def _change_intensity(step: float, _controller: Controller, subject: SubjectController) -> None:
    factor = round(subject.factor + step, 1)
    subject.intensity(min(max(factor, 0.0), MAX_INTENSITY))


def _toggle_mute(_controller: Controller, subject: SubjectController) -> None:
    subject.mute(is_muted=not subject.is_muted)


def _toggle_pause(_controller: Controller, subject: SubjectController) -> None:
    subject.pause(is_paused=not subject.is_paused)


def _toggle_recording(controller: Controller, _subject: SubjectController) -> None:
    takes = controller.takes
    if takes.is_recording:
        takes.stop()
    else:
        takes.start()


def _reset_losses(_controller: Controller, subject: SubjectController) -> None:
    subject.reset_losses()


def _quit(controller: Controller, _subject: SubjectController) -> None:
    controller.stop()


KEY_ACTIONS = (
    *(
        KeyAction(f"emotion {name}", (key,), name, f"{name} alone", partial(_choose_emotion, name))
        for key, name in EMOTION_KEYS.items()
    ),
    KeyAction(
        "auto",
        ("a",),
        "auto (emotion of the voice)",
        "the estimated emotion of the voice alone, or chosen ones again",
        _toggle_auto,
    ),
    KeyAction(
        "stronger",
        ("+", "="),
        "more intensity",
        "more intensity",
        partial(_change_intensity, INTENSITY_STEP),
    ),
    KeyAction(
        "weaker",
        ("-",),
        "less intensity",
        "less intensity",
        partial(_change_intensity, -INTENSITY_STEP),
    ),
    KeyAction("next", ("n", "\t"), "next subject", "steer the next subject"),
    KeyAction("mute", ("m",), "mute", "mute or unmute", _toggle_mute),
    KeyAction("pause", ("p",), "pause", "pause the face, or resume it", _toggle_pause),
    KeyAction(
        "record", ("r",), "record", "start a take, or end it", _toggle_recording, is_of_bridge=True
    ),
    KeyAction("reset", ("x",), "reset losses", "count losses anew from 0", _reset_losses),
    KeyAction("quit", ("q",), "quit", "end the run", _quit, is_of_terminal=True),
    KeyAction("help", ("?",), "help", "show or hide all keys"),
)
"""All actions, in the order of the help."""


def find_key(key: str) -> KeyAction | None:
    """Return the action of a key, None for none."""
    return next((action for action in KEY_ACTIONS if key in action.keys), None)


def page_keys() -> list[dict[str, Any]]:
    """Return the keys that the page has, as it reads them; Tab moves its focus instead."""
    return [
        {**action.document, "keys": [key for key in action.keys if key != "\t"]}
        for action in KEY_ACTIONS
        if not action.is_of_terminal
    ]


def press_page_key(key: str, controller: Controller, subject: SubjectController) -> None:
    """Carry out the action of a key of the page; may wait for a disk. UserError without one."""
    action = find_key(key)
    if action is None or action.act is None or action.is_of_terminal:
        raise UserError(
            Problem("key", f"{key[:20]!r} steers nothing on the page", "press ? for all")
        )
    action.act(controller, subject)

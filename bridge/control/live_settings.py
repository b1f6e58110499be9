"""Settings of a running subject: how each that is declared as live is read and changed.

The page makes its controls of them. Each change goes through the method of a `SubjectController`,
which checks its range.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any

from cstalk_bridge.audio.source import GateConfig
from cstalk_bridge.settings.table import command_settings, live_settings
from cstalk_bridge.takes.generate import level_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cstalk_bridge.control.subject_controller import SubjectController
    from cstalk_bridge.settings.declaration import Setting
    from cstalk_bridge.takes.take import SettingValue


@dataclass(frozen=True, slots=True)
class LiveSetting:
    """How a setting is read of a subject, and changed over a time in s, None for its own.

    It is None where the subject does not have the part to which it belongs; changing it is a
    UserError then.
    """

    read: Callable[[SubjectController], Any]
    change: Callable[[SubjectController, Any, float | None], None]


def _of_gate(name: str) -> LiveSetting:
    return LiveSetting(
        attrgetter(f"noise_gate.{name}"),
        lambda subject, value, _over_s: subject.gate(**{name: value}),
    )


def _of_command(entry: Setting) -> LiveSetting:
    return LiveSetting(
        lambda subject: subject.settings[entry.name],
        lambda subject, value, over_s: methodcaller(entry.name, value, over_s)(subject),
    )


LIVE_SETTINGS: Mapping[str, LiveSetting] = {
    **{entry.key: _of_command(entry) for entry in command_settings()},
    "lookahead_ms": LiveSetting(
        attrgetter("lookahead_ms"), lambda subject, value, _over_s: subject.lookahead(value)
    ),
    "audio.gain_db": LiveSetting(
        attrgetter("gain_db"), lambda subject, value, _over_s: subject.gain(value)
    ),
    **{f"audio.gate.{name}": _of_gate(name) for name in GateConfig.model_fields},
    "passthrough.delay_ms": LiveSetting(
        lambda subject: subject.passthrough and subject.passthrough.delay_ms,
        lambda subject, value, _over_s: subject.passthrough_delay(value),
    ),
    "passthrough.level_db": LiveSetting(
        lambda subject: subject.passthrough and subject.passthrough.level_db,
        lambda subject, value, _over_s: subject.passthrough_level(value),
    ),
    "transition_ms": LiveSetting(
        attrgetter("transition_ms"), lambda subject, value, _over_s: subject.transition(value)
    ),
    "intensity": LiveSetting(
        attrgetter("factor"), lambda subject, value, over_s: subject.intensity(value, over_s)
    ),
    "auto": LiveSetting(
        attrgetter("voice_weights.auto"),
        lambda subject, value, over_s: subject.auto(value, over_s),
    ),
    "arousal": LiveSetting(
        attrgetter("voice_weights.arousal"),
        lambda subject, value, over_s: subject.arousal(value, over_s),
    ),
}
"""By the key of each setting that is live."""


def read_live_settings(subject: SubjectController) -> dict[str, float | bool]:
    """Return the live settings that a subject has, by their field names."""
    values = (
        (entry.field_name, LIVE_SETTINGS[entry.key].read(subject)) for entry in live_settings()
    )
    return {name: value for name, value in values if value is not None}


def settings_in_force(subject: SubjectController) -> dict[str, SettingValue]:
    """Return all that shapes the face of a subject at present, by the names that takes have."""
    numbers = {
        **read_live_settings(subject),
        "is_muted": subject.is_muted,
        "is_paused": subject.is_paused,
        "seed": subject.seed,
        **level_settings(subject.levels),
    }
    plain = {name: int(one) if isinstance(one, bool) else one for name, one in numbers.items()}
    return {"weights": subject.weights_id, **plain}


def change_live_settings(
    subject: SubjectController, changes: Mapping[str, Any], over_s: float | None = None
) -> None:
    """Change live settings by their field names, in the order of the table; may wait for a file.

    UserError with the first that is refused; those before it are changed then.
    """
    for entry in live_settings():
        if entry.field_name in changes:
            LIVE_SETTINGS[entry.key].change(subject, changes[entry.field_name], over_s)

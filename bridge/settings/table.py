"""The table of settings: name, range, default, unit, scope and texts of each, declared once.

The models of the config, the flags of the command line, the commands of remote control, the page,
`config.yaml` and the tables of the documentation derive from it. A key that only groups others
stands here too, for its text.
"""

from __future__ import annotations

from typing import Final

from cstalk_bridge.models.timing import DEFAULT_LOOKAHEAD_MS, HOP_MS, MAX_LOOKAHEAD_MS
from cstalk_bridge.settings.declaration import Effect, Scope, Setting
from cstalk_bridge.settings.subject import LIVE_SETTINGS, SUBJECT_SETTINGS

DEFAULT_CONTROL_PORT: Final = 8000
"""The port at which controllers expect the Live Link Face app."""

DEFAULT_PREVIEW_PORT: Final = 8520

DEFAULT_HEALTH_PORT: Final = 8530

CONTROL_ADDRESS: Final = f"127.0.0.1:{DEFAULT_CONTROL_PORT}"
PREVIEW_ADDRESS: Final = f"127.0.0.1:{DEFAULT_PREVIEW_PORT}"
HEALTH_ADDRESS: Final = f"127.0.0.1:{DEFAULT_HEALTH_PORT}"


MAX_BUFFER_MS: Final = 200.0
"""A longer buffer would hide a machine that is too slow, not help it."""


MAX_OFFSET_MS: Final = 1000.0
"""More than a second is no delay of a cable or a sound card."""


BRIDGE_SETTINGS: Final = (
    Setting(
        key="fps",
        help="Frame rate of packets and timecode, 23.976 to 120; 29.97df and 59.94df are "
        "drop-frame.",
        default=60,
        metavar="N",
        is_of_takes=True,
        note="23.976 (or 23.98, 24000/1001), 24, 25, 29.97, 29.97df, 30, 47.952, 48, 50, 59.94, "
        "59.94df, 60, 72, 90, 96, 100, 119.88 or 120. Use the rate of the Unreal sequence. The "
        "rate adds no latency worth naming.",
    ),
    Setting(
        key="lookahead_ms",
        help="Look-ahead: how much of the coming sound a face waits for.",
        default=DEFAULT_LOOKAHEAD_MS,
        minimum=0,
        maximum=MAX_LOOKAHEAD_MS,
        step=HOP_MS,
        is_stepped=True,
        unit="ms",
        metavar="N",
        is_of_takes=True,
        label="Look-ahead",
        is_live=True,
        note="More gives better lips, above all closures before p, b and m; less gives less delay.",
        effect=Effect.BETWEEN_TAKES,
    ),
    Setting(
        key="device",
        help="Device that the network runs on.",
        default="auto",
        choices=("auto", "cpu", "cuda"),
        metavar="auto|cpu|cuda",
        is_of_takes=True,
        note="auto is the CPU: one core is enough for dozens of subjects, and Unreal keeps its "
        "GPU.",
    ),
    Setting(
        key="weights",
        help="Weights file of the network (.safetensors).",
        metavar="FILE",
        is_of_takes=True,
        note="null: the default weights. light: a network of a third of the size, which comes with "
        "the program, too, for many faces on one machine.",
    ),
    Setting(
        key="buffer_ms",
        help="Buffer: how long a face is ready before it is shown.",
        default="auto",
        minimum=0.0,
        maximum=MAX_BUFFER_MS,
        unit="ms",
        note="It hides late audio blocks and slow inference. auto adapts it between 3 and 120 ms "
        "to the delays measured lately; the dashboard shows it. A number fixes it, for sound that "
        "is aligned by hand.",
    ),
    Setting(
        key="dashboard",
        help="Dashboard in the terminal.",
        default=True,
        note="false: one plain status line now and then, as with --no-ui.",
    ),
    Setting(
        key="preview",
        help="Address of the web preview.",
        flag_note=f"Without HOST:PORT it is {PREVIEW_ADDRESS}.",
        default=False,
        metavar="HOST:PORT",
        is_optional_value=True,
        note=f"true: http://{PREVIEW_ADDRESS}. false: no preview. Or HOST:PORT, such as "
        f"0.0.0.0:{DEFAULT_PREVIEW_PORT} for the whole network; the page then opens "
        "only with the token in the printed address.",
    ),
    Setting(
        key="health",
        help="Address of the health for machines: /health as JSON, /metrics for Prometheus.",
        flag_note=f"Without HOST:PORT it is {HEALTH_ADDRESS}. The preview has both at its own "
        "address too.",
        default=False,
        metavar="HOST:PORT",
        is_optional_value=True,
        note=f"true: http://{HEALTH_ADDRESS}/health. false: only with the preview, at its address. "
        f"Or HOST:PORT, such as 0.0.0.0:{DEFAULT_HEALTH_PORT} for the whole network; it then asks "
        "for the token in the printed address. {host: 0.0.0.0, token: A TOKEN OF YOURS} keeps the "
        "token at every start.",
    ),
    Setting(
        key="log_file",
        help="Log file; it is rotated as it grows, 25 MB at most in all.",
        note="null: no log. `run --log-file` goes before it.",
    ),
    Setting(
        key="watch",
        help="Whether this file and its rig maps are watched, and changes of them applied.",
        default=True,
        effect=Effect.AT_ONCE,
        note="false: what runs stays as it is until the next start.",
    ),
    Setting(key="timecode", help="Timecode of every packet and take."),
    Setting(
        key="timecode.source",
        help="Source of the timecode.",
        default="system",
        choices=("system", "ltc"),
        note="system: the clock of this machine, as NTP or PTP steer it. ltc: linear timecode in "
        "the sound of `audio`.",
    ),
    Setting(
        key="timecode.mode",
        help="Relation of the timecode to its source.",
        default="free",
        choices=("chase", "jam", "free"),
        note="chase: follow the source, and continue without it while it is lost. jam: take its "
        "time once. free: start from the time of this machine; the source is only compared.",
    ),
    Setting(
        key="timecode.audio",
        help="Audio input that carries linear timecode.",
        note="{input: NAME OF THE DEVICE OR A FILE, channel: 2}, as for a subject.",
    ),
    Setting(
        key="timecode.offset_ms",
        help="Offset added to linear timecode, to make up for the delay of its way here.",
        default=0.0,
        minimum=-MAX_OFFSET_MS,
        maximum=MAX_OFFSET_MS,
        unit="ms",
    ),
    Setting(
        key="recording",
        help="Takes: curves and sound of every subject, each take in its own folder below this "
        "one.",
    ),
    Setting(key="recording.folder", help="Folder of the takes.", default="takes"),
    Setting(
        key="control",
        help="Remote control over OSC: the messages of the Live Link Face app, and our own "
        "commands.",
    ),
    Setting(
        key="control.osc",
        help="Address of remote control over OSC.",
        flag_note=f"Without HOST:PORT it is {CONTROL_ADDRESS}.",
        default=False,
        metavar="HOST:PORT",
        flag_name="osc_control",
        is_optional_value=True,
        note=f"true: {CONTROL_ADDRESS}. false: no remote control. Or HOST:PORT, such as "
        f"0.0.0.0:{DEFAULT_CONTROL_PORT} for the whole network.",
    ),
    Setting(
        key="control.allow",
        help="Machine or network that may control the bridge, besides this machine.",
        flag_note="Repeat it for more.",
        default=(),
        metavar="ADDRESS",
        flag_name="osc_allow",
        is_repeated=True,
        note="A list, such as [10.0.0.5, 192.168.1.0/24].",
    ),
    Setting(
        key="hotkeys",
        help="Global hotkeys: keys that steer the bridge whatever program has the focus.",
        default={},
        note="Keys and what they do, with the extra `hotkeys` (pynput): "
        '{"<ctrl>+<alt>+1": emotion happy, "<f9>": mute, "<f10>": record}. An action is that of a '
        "key of the dashboard (mute, pause, record, auto, stronger, weaker, reset, emotion NAME), "
        "which toggles as the key does, or a command of remote control with its arguments (gain 6, "
        "level head 0.5), for all subjects or as SUBJECT/ACTION. See docs/hotkeys.md.",
    ),
)
"""Settings of the whole run, in the order of `config.yaml`."""


def setting(key: str) -> Setting:
    """Return the setting of that key; KeyError for one that is not declared."""
    return SETTINGS[key]


SETTINGS: Final = {
    setting.key: setting for setting in (*BRIDGE_SETTINGS, *SUBJECT_SETTINGS, *LIVE_SETTINGS)
}
"""Every setting by its key."""


def flag_settings() -> tuple[Setting, ...]:
    """Return the settings that the command line can change, in their order."""
    return tuple(entry for entry in SETTINGS.values() if entry.metavar)


def page_settings() -> tuple[Setting, ...]:
    """Return the settings that have a control on the page, those of a subject first."""
    shown = [entry for entry in SETTINGS.values() if entry.label]
    return tuple(sorted(shown, key=lambda entry: entry.scope is Scope.BRIDGE))


def take_settings() -> tuple[Setting, ...]:
    """Return the settings of the page with which takes are made."""
    return tuple(entry for entry in page_settings() if entry.is_of_takes)


def live_settings() -> tuple[Setting, ...]:
    """Return the settings of the page that change while a subject runs."""
    return tuple(entry for entry in page_settings() if entry.is_live or entry.command)


def single_settings(scope: Scope) -> tuple[Setting, ...]:
    """Return the settings of a scope that have a value of their own, no group of others."""
    groups = {entry.key.rpartition(".")[0] for entry in SETTINGS.values()}
    return tuple(
        entry
        for entry in SETTINGS.values()
        if entry.scope is scope and entry.key not in groups and entry.key != "name"
    )


def command_settings() -> tuple[Setting, ...]:
    """Return the settings of a subject that remote control changes by a command of their name."""
    return tuple(entry for entry in SETTINGS.values() if entry.command)

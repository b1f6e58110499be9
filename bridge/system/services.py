"""Recipes that start a bridge with the machine: a systemd unit, a launchd agent, a Windows task.

Each runs in the session of a user, which is where the sound server and the permission for the
microphone are. Pure functions of the command and the folder; nothing is installed here.
"""

from __future__ import annotations

import plistlib
import re
import struct
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


TASK = "CSTalk Bridge"
LABEL = "com.cstalk.bridge"

RESTART_S = 2
"""Pause before a restart: short enough for a stage, long enough for a device that comes back."""

STOP_S = 20
"""Time to end: a take is written, clients are told."""

USER_ERROR = 2
"""Exit code of a mistake in the config, which no restart mends."""


@dataclass(frozen=True, slots=True)
class Service:
    """What a service runs: a command, in a folder."""

    command: tuple[str, ...]
    folder: Path


def program() -> tuple[str, ...]:
    """Return the command of this installation, by its whole path."""
    name = "cstalk-bridge.exe" if sys.platform == "win32" else "cstalk-bridge"
    script = Path(sysconfig.get_path("scripts")) / name
    return (str(script),) if script.is_file() else (sys.executable, "-P", "-m", "cstalk_bridge")


SYSTEMD = """\
# ~/.config/systemd/user/cstalk-bridge.service, a unit of the user: the sound server is the user's.
#   systemctl --user daemon-reload
#   systemctl --user enable --now cstalk-bridge
#   loginctl enable-linger               starts it with the machine, before anybody logs in
#   journalctl --user -fu cstalk-bridge  what it prints
[Unit]
Description=CSTalk Bridge, a voice moves a MetaHuman
After=pipewire-pulse.service pulseaudio.service
StartLimitIntervalSec=0

[Service]
Type=exec
WorkingDirectory={folder}
ExecStart={command}
Restart=always
RestartSec={restart_s}
RestartPreventExitStatus={user_error}
TimeoutStopSec={stop_s}
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def systemd_unit(service: Service) -> str:
    """Return a unit for `systemctl --user`; see systemd.service(5) and systemd.syntax(7)."""
    return SYSTEMD.format(
        folder=str(service.folder).replace("%", "%%"),
        command=" ".join(map(_systemd_word, service.command)),
        restart_s=RESTART_S,
        stop_s=STOP_S,
        user_error=USER_ERROR,
    )


def _systemd_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def launchd_agent(service: Service) -> str:
    """Return an agent for `launchctl bootstrap`; see launchd.plist(5).

    An agent, not a daemon: macOS asks the user of a session whether the microphone may be used.
    """
    log = str(service.folder / "cstalk-bridge.out")
    agent = {
        "Label": LABEL,
        "ProgramArguments": list(service.command),
        "WorkingDirectory": str(service.folder),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": STOP_S,
        "ProcessType": "Interactive",
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    return plistlib.dumps(agent).decode("utf-8")


WINDOWS = """\
# Registers a task that starts the bridge when you log on, and starts it now. In PowerShell:
#   cstalk-bridge service windows | Out-String | Invoke-Expression
# Stop it:    Stop-ScheduledTask '{task}'      Remove it:  Unregister-ScheduledTask '{task}'
# A task and not a service: Windows keeps microphones and their permission in the user's session.
$ErrorActionPreference = 'Stop'
$action = New-ScheduledTaskAction -Execute {program} -Argument {arguments} `
    -WorkingDirectory {folder}
$trigger = New-ScheduledTaskTrigger -AtLogOn -User "$env:USERDOMAIN\\$env:USERNAME"
# Priority 4 is normal; without it a task has 7, below normal. It restarts a minute after it fails.
$settings = New-ScheduledTaskSettingsSet -Priority 4 -ExecutionTimeLimit ([TimeSpan]::Zero) `
    -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1) -MultipleInstances IgnoreNew `
    -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries -StartWhenAvailable
Register-ScheduledTask -TaskName {quoted_task} -Action $action -Trigger $trigger `
    -Settings $settings -Force | Out-Null
Start-ScheduledTask -TaskName {quoted_task}
"""


def windows_task(service: Service) -> str:
    """Return a PowerShell script that registers a scheduled task."""
    first, *arguments = service.command
    return WINDOWS.format(
        task=TASK,
        quoted_task=_powershell_word(TASK),
        program=_powershell_word(first),
        arguments=_powershell_word(subprocess.list2cmdline(arguments)),
        folder=_powershell_word(str(service.folder)),
    )


def _powershell_word(word: str) -> str:
    """Return a verbatim string, within single quotes, where nothing is expanded.

    It is ASCII: PowerShell reads what a program prints in the console's code page, in which Python
    does not write. Other characters are added by the numbers of their UTF-16 units.
    """
    parts = re.split(r"([^\x00-\x7f]+)", word)
    quoted = ["'" + part.replace("'", "''") + "'" for part in parts[::2]]
    others = ["".join(f" + [char]0x{unit:04X}" for unit in _utf16(part)) for part in parts[1::2]]
    if not others:
        return quoted[0]
    return "(" + quoted[0] + "".join(map("{} + {}".format, others, quoted[1:])) + ")"


def _utf16(text: str) -> tuple[int, ...]:
    encoded = text.encode("utf-16-le", "surrogatepass")
    return struct.unpack(f"<{len(encoded) // 2}H", encoded)


RECIPES: dict[str, Callable[[Service], str]] = {
    "systemd": systemd_unit,
    "launchd": launchd_agent,
    "windows": windows_task,
}
"""Every recipe, by the name of what runs it."""

"""Wine in a Debian root of its own, and programs started in it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DRIVE = "D:"
"""The drive of Windows that is the folder of the set-up."""

INSIDE = "/cache"
"""Where the folder of the set-up lies in the root."""

ENTER = """
set -e
mount --rbind /proc "$1/proc"
mount --rbind /dev "$1/dev"
mkdir -p "$1$3"
mount --bind "$2" "$1$3"
cp /etc/hosts /etc/resolv.conf "$1/etc/"
root=$1
shift 3
exec chroot "$root" "$@"
"""
"""Mounts what a program in the root needs, in a mount namespace that ends with the program.

Windows' `localhost` is looked up in the root's /etc/hosts.
"""

PASSED_ON = ("PULSE_SERVER", "TERM")
"""Variables of the environment that programs in Wine get, too: the sound server, the terminal."""


@dataclass(frozen=True, slots=True)
class Wine:
    """Wine in `CACHE/root`, with `CACHE` as drive D:."""

    cache: Path

    @property
    def root(self) -> Path:
        """The Debian root."""
        return self.cache / "root"

    def enter(self, *command: str) -> list[str]:
        """Return the command that executes one of the root in the root."""
        places = str(self.root), str(self.cache), INSIDE
        return ["unshare", "--mount", "bash", "-c", ENTER, "enter", *places, *command]

    def command(self, *program: str, folder: str = "") -> list[str]:
        """Return the command that executes a program of Windows, in a folder below `CACHE`."""
        environment = {
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PATH": "/usr/bin:/bin",
            "WINEDEBUG": "-all",
            "WINEPREFIX": f"{INSIDE}/prefix",
            "XDG_RUNTIME_DIR": "/run",
        } | {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return self.enter(
            "env",
            "--ignore-environment",
            f"--chdir={INSIDE}/{folder}",
            *(f"{name}={value}" for name, value in environment.items()),
            "/usr/lib/wine/wine64",
            *program,
        )

    def make_prefix(self) -> None:
        """Make the drives of Windows; D: is the folder of the set-up.

        Raises `subprocess.CalledProcessError` if Wine cannot start.
        """
        subprocess.run(self.command("wineboot", "--init"), check=True)  # noqa: S603 - ours
        drive = self.cache / "prefix" / "dosdevices" / DRIVE.lower()
        drive.unlink(missing_ok=True)
        drive.symlink_to(INSIDE)

    def end_all(self) -> None:
        """End every program in this Wine."""
        prefix = f"WINEPREFIX={INSIDE}/prefix"
        ending = self.enter("env", prefix, "wineserver", "--kill")
        subprocess.run(ending, check=False)  # noqa: S603 - ours


def windows_path(*parts: str) -> str:
    r"""Return a path below the folder of the set-up as Windows writes it: `D:\src\tests`."""
    return "\\".join((DRIVE, *parts))


def call(command: Sequence[str]) -> None:
    """Execute a command and show its output.

    Raises `subprocess.CalledProcessError` if it fails.
    """
    print("+", *command[:12], flush=True)
    subprocess.run(command, check=True)  # noqa: S603 - ours

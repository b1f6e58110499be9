"""The machine that is measured: in words, a process's memory, and a port that is free."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def machine() -> list[str]:
    """Return lines that name the machine: figures mean nothing without it."""
    return [
        f"machine     {platform.node()}",
        f"cpu         {_processor()}, {os.cpu_count()} cores",
        f"system      {platform.platform()}",
        f"python      {platform.python_version()}",
        *(f"{package:<12}{_version(package)}" for package in ("numpy", "onnxruntime", "torch")),
    ]


def resident_mb(process_id: int) -> float | None:
    """Return the resident memory of a process in MB (10^6 bytes); None where it cannot be told.

    Linux: `VmRSS` of /proc. macOS: what `ps` says. Windows has neither.
    """
    if sys.platform == "linux":
        status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii", errors="replace")
        return next(
            int(line.split()[1]) * 1024e-6
            for line in status.splitlines()
            if line.startswith("VmRSS:")
        )
    if sys.platform == "darwin":
        command = ["/bin/ps", "-o", "rss=", "-p", str(process_id)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(shown.stdout) * 1024e-6
    return None


@contextmanager
def bound_port() -> Iterator[tuple[socket.socket, int]]:
    """Give a UDP socket at a local port, and that port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound, int(bound.getsockname()[1])


def free_port(kind: socket.SocketKind) -> int:
    """Return a local port that nobody has."""
    with socket.socket(socket.AF_INET, kind) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _processor() -> str:
    """Return the processor's name; Linux tells it only in /proc."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"

"""Other programs that listen on a port."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.diagnostics.network_check import port_owners

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cstalk_bridge.system.addresses import Transport


PROGRAM = """
import socket, sys
kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[-1]]
bound = socket.socket(socket.AF_INET, kind)
bound.bind(("127.0.0.1", 0))
if kind == socket.SOCK_STREAM:
    bound.listen()
print(bound.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def program_with_port(transport: Transport, name: str = "program") -> Iterator[tuple[int, int]]:
    """Start a program of that name with a port on loopback; return the port and its process id."""
    if port_owners(transport, 1) is None:
        pytest.skip("this system shows the owner of a port to administrators only")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running_it:
        program = Path(folder) / name
        program.write_text(PROGRAM, encoding="utf-8")
        running = running_it.enter_context(
            subprocess.Popen(
                [sys.executable, str(program), transport],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert running.stdout is not None
        try:
            yield int(running.stdout.readline()), running.pid
        finally:
            running.kill()


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def free_tcp_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])

"""Many clients of the page exhaust the file descriptors of a bridge; takes are recorded anyway."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from cstalk_bridge.bench.daemon_process import DaemonProcess, free_port
from cstalk_bridge.outputs.osc_messages import Message, decode_packet, encode_message
from cstalk_bridge.preview.connections import MAX_CONNECTIONS

if TYPE_CHECKING:
    from pathlib import Path

TAKES = 5
CROWD = 600
DESCRIPTORS = MAX_CONNECTIONS + 72


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of another process")
def test_many_page_clients_keep_no_take_from_being_recorded(tmp_path: Path) -> None:
    import resource

    port, page = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    settings: dict[str, Any] = {
        "control": {"osc": f"127.0.0.1:{port}"},
        "preview": f"127.0.0.1:{page}",
        "recording": {"folder": str(tmp_path)},
    }
    with (
        DaemonProcess("test", 9, **settings) as running,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as controller,
        ExitStack() as crowd,
    ):
        limit = (DESCRIPTORS, DESCRIPTORS)
        resource.prlimit(running.process_id, resource.RLIMIT_NOFILE, limit)
        controller.settimeout(15)
        controller.connect(("127.0.0.1", port))
        for number in range(TAKES):
            for _ in range(CROWD // TAKES):
                crowd.enter_context(socket.create_connection(("127.0.0.1", page)))
            controller.send(encode_message("/cstalk/record", "start", "Crowd", number))
            assert received(controller) == Message("/cstalk/ok", ("/cstalk/record",))
            time.sleep(0.3)
            controller.send(encode_message("/cstalk/record", "stop"))
            assert received(controller) == Message("/cstalk/ok", ("/cstalk/record",))
        running.stop()
    assert len(list(tmp_path.iterdir())) == TAKES
    assert not list(tmp_path.glob("*.recording"))


def received(controller: socket.socket) -> Message:
    (message,) = decode_packet(controller.recv(2048))
    return message

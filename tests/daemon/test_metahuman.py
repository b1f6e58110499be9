"""From the audio input to a client of a MetaHuman device, which behaves as Unreal does."""

from __future__ import annotations

import socket
import threading
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge import daemon
from cstalk_bridge.audio.source import AudioConfig
from cstalk_bridge.config.schema import Config, SubjectConfig
from cstalk_bridge.outputs.metahuman.messages import REST
from cstalk_bridge.outputs.registry import parse_link_url
from tests.networks import GUARDED, write_weights
from tests.outputs.metahuman.unreal import TIMEOUT_S, Unreal
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def connected(port: int) -> Unreal:
    """Connect as soon as the device listens."""

    def connect() -> Unreal | None:
        with suppress(ConnectionError):
            return Unreal(port)
        return None

    unreal = wait_until(connect, 2 * TIMEOUT_S, reason="the device does not listen")
    assert unreal is not None
    return unreal


def test_unreal_receives_its_subjects_until_the_bridge_ends(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "small.safetensors", GUARDED)
    port = free_port()
    link = parse_link_url(f"metahuman://127.0.0.1:{port}")
    config = Config(
        weights=weights,
        subjects=tuple(
            SubjectConfig(name=name, audio=AudioConfig(input="test"), links=(link,))
            for name in ("Ada", "Ben")
        ),
    )
    stop = threading.Event()
    running = threading.Thread(
        target=daemon.run,
        args=(config,),
        kwargs={"stop": stop, "watch": nullcontext, "is_urgent": False},
    )
    running.start()
    try:
        with connected(port) as unreal:
            ada, ben = unreal.connect()
            assert (ada["name"], ben["name"]) == ("Ada", "Ben")
            unreal.stream(ben)
            frames = [unreal.frame() for _ in range(30)]
            assert {frame.subject for frame in frames} == {ben["id"]}
            numbers = [frame.number for frame in frames]
            assert numbers == list(range(numbers[0], numbers[0] + 30))
            stop.set()
            while (last := unreal.receive())["type"] == "response":
                pass
            assert last["addressPath"] == "/event/session-stopped"
            assert unreal.frames_waiting()[-1].controls == np.rint(65535 * REST).tolist()
    finally:
        stop.set()
        running.join(2 * TIMEOUT_S)
    assert not running.is_alive()

"""A program that prints what `vmcp` receives: one JSON line an event, `ready` first."""

from __future__ import annotations

import json
import sys
import threading

from vmcp.events import (
    BlendShapeApplyEvent,
    BlendShapeEvent,
    BoneTransformEvent,
    Event,
    RelativeTimeEvent,
    StateEvent,
)
from vmcp.facades import on_receive
from vmcp.osc import OSC
from vmcp.osc.backend.osc4py3 import as_comthreads


def line(event: Event) -> list[object]:
    if isinstance(event, BoneTransformEvent):
        position, rotation = event.position, event.rotation
        return [
            "bone",
            event.joint.value,
            [position.x, position.y, position.z],
            [rotation.x, rotation.y, rotation.z, rotation.w],
        ]
    if isinstance(event, BlendShapeEvent):
        return ["shape", str(event.key), event.value]
    if isinstance(event, BlendShapeApplyEvent):
        return ["apply"]
    if isinstance(event, StateEvent):
        return ["ok", event.model_state.value, event.calibration_state.value]
    return ["time", float(event.delta)]


def main() -> None:
    """Receive on the port of the command line until standard input is closed."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    with OSC(as_comthreads).open() as osc:
        receiver = osc.create_receiver("127.0.0.1", int(sys.argv[1]), "receiver").open()
        for kind in (
            StateEvent,
            RelativeTimeEvent,
            BoneTransformEvent,
            BlendShapeEvent,
            BlendShapeApplyEvent,
        ):
            on_receive(receiver, kind, lambda event: print(json.dumps(line(event)), flush=True))
        print("ready", flush=True)
        while not ended.wait(0.005):
            osc.run()


if __name__ == "__main__":
    main()

"""Two machines with a cable, as network namespaces: what a target's lamp shows of the other one.

Run in a network namespace of its own (`unshare -n`); prints a line for each step.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing

from cstalk_bridge.outputs.udp import Delivery, Receiver, Target, UdpTargets
from cstalk_bridge.timecode.tick import host_now

HERE, THERE, MOVED = "10.9.0.1/24", "10.9.0.2/24", "10.9.0.77/24"
LISTEN = """
import socket, sys
bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
bound.bind(("10.9.0.2", 9))
print("bound", flush=True)
sys.stdin.read()
"""
STEP_S = 30.0


def execute(*command: str) -> None:
    subprocess.run(command, check=True)


def send_until(targets: UdpTargets, wanted: Delivery, *, is_absent: bool | None = None) -> str:
    """Send 60 datagrams a second until the lamp is the wanted one; return what is shown then."""
    give_up_s = host_now() + STEP_S
    (target,) = targets.receivers
    while host_now() < give_up_s:
        targets.send([b"frame"])
        time.sleep(1 / 60)
        is_wanted = is_absent is None or target.is_absent is is_absent
        if target.delivery(host_now()) is wanted and is_wanted:
            break
    return target.delivery(host_now()).name


def main() -> None:
    """Switch the other machine on, let it listen, then move this one to another address."""
    execute("ip", "link", "set", "lo", "up")
    execute("ip", "link", "add", "here", "type", "veth", "peer", "name", "there")
    execute("ip", "addr", "add", HERE, "dev", "here")
    for end in ("here", "there"):
        execute("ip", "link", "set", end, "up")
    with (
        closing(UdpTargets([Target(host="10.9.0.2", port=9)])) as targets,
        subprocess.Popen(["unshare", "-n", "sleep", "120"]) as other,
    ):
        print("off", send_until(targets, Delivery.NO_RECEIVER, is_absent=True))
        execute("ip", "link", "set", "there", "netns", str(other.pid))
        inside = ("nsenter", "-t", str(other.pid), "-n")
        execute(*inside, "ip", "addr", "add", THERE, "dev", "there")
        execute(*inside, "ip", "link", "set", "there", "up")
        print("on", send_until(targets, Delivery.NO_RECEIVER, is_absent=False))
        listen = [*inside, sys.executable, "-c", LISTEN]
        with subprocess.Popen(
            listen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as listener:
            assert listener.stdout is not None
            listener.stdout.readline()
            print("listening", send_until(targets, Delivery.SENT))
            execute("ip", "addr", "del", HERE, "dev", "here")
            execute("ip", "addr", "add", MOVED, "dev", "here")
            (target,) = targets.receivers
            assert isinstance(target, Receiver)
            targets.send([b"from the address that is gone"])
            print("moved", send_until(targets, Delivery.SENT), target.socket.getsockname()[0])
            listener.communicate("")
        other.kill()


if __name__ == "__main__":
    main()

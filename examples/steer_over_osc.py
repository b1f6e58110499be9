"""Steer a running bridge: start `cstalk-bridge run --osc-control`, then run this program.

The face becomes happy within two seconds, looks less around, and a take is recorded.
"""

import argparse
import time

from pythonosc.udp_client import SimpleUDPClient

parser = argparse.ArgumentParser(description="Steer a running bridge over OSC.")
parser.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1")
parser.add_argument("--port", type=int, default=8000, help="default 8000")
parser.add_argument("--subject", default="CSTalk", help="default CSTalk")
parser.add_argument("--take-s", type=float, default=3.0, help="length of the take in seconds")
options = parser.parse_args()


def send(address: str, *arguments: float | str) -> None:
    """Send one command and print the bridge's reply."""
    client.send_message(address, arguments)
    for reply in client.get_messages(timeout=2.0):
        print(reply.address, *reply.params)
        if reply.address in {"/cstalk/ok", "/cstalk/error"}:
            return


with SimpleUDPClient(options.host, options.port) as client:
    send(f"/cstalk/{options.subject}/emotion", "happy", 0.8, 2.0)
    send(f"/cstalk/{options.subject}/level", "gaze", 0.5)
    send("/cstalk/record", "start", "Example", 1)
    time.sleep(options.take_s)
    send("/cstalk/record", "stop")

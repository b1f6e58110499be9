"""RealtimeKit, the system service that raises threads of users who have no right to do so."""

from __future__ import annotations

import threading
from contextlib import suppress

TIMEOUT_S = 0.5
"""How long a start waits for RealtimeKit, which answers within 20 ms once it runs."""

NAME = "org.freedesktop.RealtimeKit1"
PATH = "/org/freedesktop/RealtimeKit1"


def renice(thread: int, nice: int) -> bool:
    """Have the thread of that kernel number run at `nice`, or at the lowest level that is given.

    Waits for `TIMEOUT_S` at most. Returns whether it was granted; whatever is amiss, be it
    jeepney, the bus, the service or the right, is a no. Asks for no real-time scheduling: for that
    RealtimeKit demands an RLIMIT_RTTIME, beyond which the kernel kills the whole process.
    """
    asking = _Asking(thread, nice)
    # On a thread of its own, because jeepney waits without end for a bus that does not greet.
    worker = threading.Thread(target=asking.ask, name="realtimekit", daemon=True)
    worker.start()
    worker.join(TIMEOUT_S)
    return asking.close()


class _Asking:
    """One request, which is not made any more once it is closed."""

    def __init__(self, thread: int, nice: int) -> None:
        self._thread = thread
        self._nice = nice
        self._is_granted = False
        self._is_late = False

    def ask(self) -> None:
        with suppress(Exception):
            from jeepney import DBusAddress, Properties, new_method_call
            from jeepney.bus import get_bus
            from jeepney.io.blocking import DBusConnection, prep_socket
            from jeepney.wrappers import unwrap_msg

            kit = DBusAddress(PATH, bus_name=NAME, interface=NAME)
            socket = prep_socket(get_bus("SYSTEM"), timeout=TIMEOUT_S)
            with socket, DBusConnection(socket) as bus:
                asked = Properties(kit).get("MinNiceLevel")
                ((_, lowest),) = unwrap_msg(bus.send_and_get_reply(asked, timeout=TIMEOUT_S))
                given = (self._thread, max(self._nice, lowest))
                message = new_method_call(kit, "MakeThreadHighPriority", "ti", given)
                if not self._is_late:
                    unwrap_msg(bus.send_and_get_reply(message, timeout=TIMEOUT_S))
                    self._is_granted = True

    def close(self) -> bool:
        self._is_late = True
        return self._is_granted

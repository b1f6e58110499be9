"""A process without rights that raises a thread for each role and reports their scheduling."""

from __future__ import annotations

import json
import os
import subprocess
import sys

NOBODY = 65534

CHILD = """
import json, os, resource, sys, threading
from contextlib import suppress
from cstalk_bridge.system.priority import Role, priority_summary, raise_priority

# While the interpreter's folder may still be read.
with suppress(ImportError):
    import jeepney.io.blocking
uid, limits = int(sys.argv[1]), json.loads(sys.argv[2])
for name, limit in limits.items():
    resource.setrlimit(getattr(resource, name), (limit, limit))
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
obtained, kernel = {}, {}

def work(role):
    obtained[role] = raise_priority(role)
    policy, thread = os.sched_getscheduler(0), threading.get_native_id()
    kernel[role] = (
        policy & ~os.SCHED_RESET_ON_FORK,
        os.sched_getparam(0).sched_priority,
        os.getpriority(os.PRIO_PROCESS, thread),
        bool(policy & os.SCHED_RESET_ON_FORK),
    )

for role in Role:
    thread = threading.Thread(target=work, args=(role,))
    thread.start()
    thread.join()
print(json.dumps([priority_summary(obtained), list(kernel.values())]))
"""


def raise_without_rights(
    bus: str, *, uid: int = NOBODY, rtprio: int = 0, nice: int = 0
) -> tuple[str, list[list[int]]]:
    """Return the summary, and policy, real-time priority, nice level and reset-on-fork of each.

    Run by root the process is `uid`'s. `bus` is the address of the system bus; `rtprio` and `nice`
    are the limits RLIMIT_RTPRIO and RLIMIT_NICE.
    """
    limits = json.dumps({"RLIMIT_RTPRIO": rtprio, "RLIMIT_NICE": nice})
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(uid), limits],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary, kernel = json.loads(done.stdout)
    return summary, kernel

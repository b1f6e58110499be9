from __future__ import annotations

import subprocess
import sys

NOISY = """
import os, sys
from cstalk_bridge.system.process import quiet_libraries
with quiet_libraries():
    os.write(2, b"driver noise")
    print("for the user", file=sys.stderr)
os.write(2, b"after")
"""


def test_library_output_is_kept_off_the_terminal_and_python_output_is_not() -> None:
    done = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True)
    assert done.stderr.split() == ["for", "the", "user", "after"]

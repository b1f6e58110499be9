"""Standard streams that are always there: what was closed before the start leads nowhere.

Else the next file that is opened gets the number of a closed one, and whatever prints to it writes
into that file.
"""

from __future__ import annotations

import os
import sys

STREAMS = (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_WRONLY, "w"), ("stderr", os.O_WRONLY, "w"))
"""Name in `sys`, flags and mode, in the order of their descriptors."""


def open_standard_streams() -> None:
    """Open the null device in place of each standard stream that is closed."""
    for descriptor, (name, flags, mode) in enumerate(STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
        if getattr(sys, name) is None:
            # Not to be closed with the stream: the number would be free again.
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115

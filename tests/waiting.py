"""Waiting for other threads, processes and files, in the one place where tests poll."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")


def wait_until(
    find: Callable[[], Found],
    timeout_s: float = 30.0,
    *,
    reason: str | Callable[[], str] = "",
    interval_s: float = 0.01,
) -> Found:
    """Call `find` until it returns something true, and return that.

    AssertionError with the `reason` after `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    while not (found := find()):
        if time.monotonic() > deadline_s:
            text = reason if isinstance(reason, str) else reason()
            raise AssertionError(text or f"did not come to be within {timeout_s:g} s")
        time.sleep(interval_s)
    return found

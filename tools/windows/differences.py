"""Tests that fail in Wine and not on Windows, and the difference that makes them fail."""

from __future__ import annotations

DIFFERENCES: dict[str, tuple[str, ...]] = {}
"""What Wine lacks, and the beginnings of the names of the tests that fail for it."""


def known_reason(test: str) -> str:
    """Return the difference for which a test fails; empty if none is known."""
    for reason, tests in DIFFERENCES.items():
        if test.startswith(tests):
            return reason
    return ""

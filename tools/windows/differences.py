"""Tests that fail in Wine and not on Windows, and the difference that makes them fail."""

from __future__ import annotations

DIFFERENCES: dict[str, tuple[str, ...]] = {
    "Wine lets a socket send to a broadcast address without permission": (
        "tests/outputs/metahuman/test_protocol.py::test_an_unreachable_address_is_counted",
        # What the one above leaves open is reported in the one after it.
        "tests/outputs/metahuman/test_protocol.py::test_the_upper_wrinkles_rest_at_1",
        "tests/outputs/test_udp.py::test_targets_are_replaced_as_a_whole",
    ),
    "Wine lists no connections of a TCP port": (
        "tests/diagnostics/test_network_check.py::test_another_bridge_is_recognised",
    ),
    "Wine does not say why it refuses a lock": (
        "tests/takes/recording/test_open_take.py::test_a_folder_has_one_owner",
    ),
    "Wine has no files whose names hold a lone surrogate": (
        "tests/takes/render/test_progress.py::",
    ),
}
"""What Wine lacks, and the beginnings of the names of the tests that fail for it."""


def known_reason(test: str) -> str:
    """Return the difference for which a test fails; empty if none is known."""
    for reason, tests in DIFFERENCES.items():
        if test.startswith(tests):
            return reason
    return ""

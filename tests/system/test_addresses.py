"""Places to listen at. How they are written is tested with the preview's, in `preview`."""

from __future__ import annotations

import errno
import socket

import pytest

from cstalk_bridge.system.addresses import binding_problem

PLACE = ("control", "UDP", "10.0.0.5", 8000)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EADDRINUSE, "in use"), "control: UDP port 8000 is in use; end the program"),
        (OSError(errno.EACCES, "no"), "UDP port 8000 is not allowed; choose one from 1024"),
        (OSError(errno.EADDRNOTAVAIL, "no"), "this machine has no address '10.0.0.5'; name an"),
        (socket.gaierror(-2, "unknown"), "this machine has no address '10.0.0.5'"),
        (OSError(errno.ENETDOWN, "the net is down"), "cannot listen: the net is down"),
    ],
)
def test_each_reason_has_its_words_and_remedy(error: Exception, words: str) -> None:
    assert words in str(binding_problem(*PLACE, error))


def test_a_port_that_is_really_taken_is_told_so() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
            pytest.raises(OSError) as caught,  # noqa: PT011 - which one it is, is asked below
        ):
            second.bind(("127.0.0.1", port))
    assert f"UDP port {port} is in use" in str(
        binding_problem("here", "UDP", "127.0.0.1", port, caught.value)
    )

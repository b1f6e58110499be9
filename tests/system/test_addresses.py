"""Places to listen at. How they are written is tested with the preview's, in `preview`."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import pytest

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.system.addresses import (
    Transport,
    bind,
    bind_or_explain,
    binding_problem,
    find_address,
)

if TYPE_CHECKING:
    from cstalk_bridge.system.addresses import Transport

PLACE: tuple[str, Transport, str, int] = ("control", "udp", "10.0.0.5", 8000)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EADDRINUSE, "in use"), "control: UDP port 8000 is in use; end the program"),
        (OSError(errno.EACCES, "no"), "UDP port 8000 is not allowed; choose one from 1024"),
        (OSError(errno.EADDRNOTAVAIL, "no"), "this machine has no address '10.0.0.5'; name an"),
        (socket.gaierror(-2, "unknown"), "this machine has no address '10.0.0.5'"),
        (OSError(errno.ENETDOWN, "the net is down"), "cannot listen: the net is down"),
    ],
)
def test_each_bind_error_has_its_text_and_advice(error: Exception, message: str) -> None:
    assert message in str(binding_problem(*PLACE, error))


def test_a_port_in_use_is_reported_as_such() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
            pytest.raises(OSError) as caught,  # noqa: PT011 - which one it is, is asked below
        ):
            second.bind(("127.0.0.1", port))
    assert f"UDP port {port} is in use" in str(
        binding_problem("here", "udp", "127.0.0.1", port, caught.value)
    )


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_bound_port_is_exclusive_and_released_on_close(transport: Transport) -> None:
    with bind(transport, "localhost", 0) as bound:
        host, port = bound.getsockname()
        assert host == "127.0.0.1"
        with pytest.raises(UserError, match=f"^x: {transport.upper()} port {port} is in use"):
            bind_or_explain("x", transport, host, port)
    bind_or_explain("x", transport, host, port).close()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 64 + ".example"])
def test_an_unknown_host_cannot_be_bound(host: str) -> None:
    with pytest.raises((OSError, UnicodeError)):
        find_address(host, 9)
    with pytest.raises(UserError, match="x: this machine has no address"):
        bind_or_explain("x", "udp", host, 0)


def test_a_name_with_both_address_families_resolves_to_ipv4() -> None:
    assert find_address("localhost", 9) == (socket.AF_INET, ("127.0.0.1", 9))
    assert find_address("::1", 9)[0] == socket.AF_INET6

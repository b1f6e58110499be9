"""A device: identity, subjects and the addresses that get their frames, recorder, access."""

from __future__ import annotations

import platform
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import device_id
from cstalk_bridge.outputs.metahuman.frame import CONTROLS
from cstalk_bridge.system.addresses import is_within
from cstalk_bridge.system.process import PROGRAM_NAME, program_version

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cstalk_bridge.outputs.protocol import Recorder
    from cstalk_bridge.system.addresses import IpNetwork, SocketAddress


@dataclass(frozen=True, slots=True)
class AccessRules:
    """This machine and those of `allow` may connect: clients can start takes of voices.

    Where it `is_discoverable` the device responds to searches on the local network.
    """

    allow: tuple[IpNetwork, ...] = ()
    is_discoverable: bool = False

    def is_allowed(self, host: str) -> bool:
        """Whether that IP address may connect."""
        return is_within(host, self.allow)


DEFAULT_PORT = 14785
"""Where Unreal looks for a device when it is given a host alone."""

PLATFORMS = {"linux": "linux", "darwin": "macOS", "win32": "windows"}
"""Names which the protocol has for systems, by `sys.platform`."""

ANIMATION_TYPE = "mha"
"""The kind of curves: a MetaHuman's own, not ARKit's."""

ANIMATION_VERSION = 1


class Feed:
    """One subject of a device, and the addresses that get its frames.

    All belongs to the device's thread, but `addresses` may be read from any.
    """

    def __init__(self, name: str, subject_id: str | None = None) -> None:
        self.name = name
        self.id = subject_id or device_id(name)
        self.addresses: tuple[SocketAddress, ...] = ()
        """Socket addresses, each once; replaced as a whole."""
        self._by_client: dict[Hashable, SocketAddress] = {}

    def add(self, client: Hashable, address: SocketAddress) -> None:
        """Send frames to an address of a client from now on, instead of its last one."""
        self._by_client[client] = address
        self._publish()

    def remove(self, client: Hashable) -> None:
        """Send no frames for that client any more."""
        if self._by_client.pop(client, None) is not None:
            self._publish()

    def serves(self, client: Hashable) -> bool:
        """Whether that client gets frames."""
        return client in self._by_client

    def _publish(self) -> None:
        self.addresses = tuple(dict.fromkeys(self._by_client.values()))

    def description(self) -> dict[str, Any]:
        """Return the subject as the protocol describes it."""
        metadata = {
            "type": ANIMATION_TYPE,
            "version": ANIMATION_VERSION,
            "controls": list(CONTROLS),
        }
        return {"id": self.id, "name": self.name, "animationMetadata": metadata}


@dataclass(slots=True)
class DeviceCounters:
    """Connections and requests of a device. Written by its thread."""

    clients: int = 0
    """Clients that were accepted."""
    rejected: int = 0
    """Clients beyond the limits, or not allowed."""
    requests: int = 0
    failed: int = 0
    """Requests whose response was an error."""
    malformed: int = 0
    """Connections of another protocol, or too slow, that were closed."""


@dataclass(eq=False)
class Device:
    """One device: `name` is what Unreal shows of it. Subjects may be added at any time."""

    name: str = ""
    recorder: Recorder | None = None
    counters: DeviceCounters = field(default_factory=DeviceCounters)

    def __post_init__(self) -> None:
        self.name = self.name or f"{PROGRAM_NAME} {platform.node()}".strip()
        self.id = device_id(f"{PROGRAM_NAME} device {self.name}")
        self._version = program_version()
        self._feeds: dict[str, Feed] = {}
        self._adding = threading.Lock()

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """All subjects, in the order in which they were added."""
        return tuple(self._feeds.values())

    def feed(self, subject_id: str) -> Feed | None:
        """Return the subject of that id."""
        return self._feeds.get(subject_id)

    def add(self, name: str) -> Feed:
        """Add a subject. UserError where it has one of that name."""
        feed = Feed(name)
        with self._adding:
            if feed.id in self._feeds:
                what = f"the MetaHuman device has a subject {name!r} already"
                raise UserError(Problem(name, what, "give it one link to the device, not two"))
            # As a whole, for the device's thread may be going through the subjects.
            self._feeds = {**self._feeds, feed.id: feed}
        return feed

    def description(self) -> dict[str, Any]:
        """Return the device as the protocol describes it. Takes cannot be fetched: no export."""
        return {
            "id": self.id,
            "name": self.name,
            "model": PROGRAM_NAME,
            "platformName": PLATFORMS.get(sys.platform, "linux"),
            "platformVersion": platform.release(),
            "softwareName": PROGRAM_NAME,
            "softwareVersion": self._version,
            "exportPort": 0,
        }

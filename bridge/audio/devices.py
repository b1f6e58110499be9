"""Audio devices, inputs and outputs: their list, and which one a user means.

PortAudio is loaded when it is first needed and does one call at a time.
"""

from __future__ import annotations

import atexit
import enum
import math
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cstalk_bridge.audio.device_probe import DeviceProbe, listing_of
from cstalk_bridge.audio.portaudio import (
    MAX_COPIES,
    DeviceUnavailableError,
    PortAudioCopy,
    load_copy,
    load_portaudio,
)
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.system.files import name_key
from cstalk_bridge.system.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sounddevice import InputStream, OutputStream

    from cstalk_bridge.audio.device_probe import Listing

    Stream: TypeAlias = InputStream | OutputStream

MICROPHONE = "mic"
"""Input which means the system's default microphone."""

LATENCY_S = 0.020
"""Latency requested from the driver: PulseAudio refuses less, more comes in bursts of blocks."""

RENEWAL_S = 10.0
"""Age at which a list is made anew although another process sees the same devices."""

CLOSE_S = 2.0
"""Time limit of closing a stream. libpulse deadlocks when its server is killed while a block is
being read."""

_lock = threading.RLock()
"""PortAudio's opening, closing and listing are not thread-safe."""

_copies: list[PortAudioCopy] = []
"""The copies of the library, the first one at first; a further one only once it is needed."""

_probe = DeviceProbe()
atexit.register(_probe.close)


@dataclass(slots=True)
class _NewestList:
    """The copy whose list is the newest, its devices, and when it was made."""

    copy: PortAudioCopy | None = None
    listing: Listing = ()
    made_s: float = -math.inf


_newest = _NewestList()

_yielding: dict[Stream, Callable[[], None]] = {}
"""Of these, the ones that are closed so that the list can be renewed, and how their owner is told:
it opens them again."""

_abandoned: set[Stream] = set()
"""The streams whose closing did not end in time."""


class Direction(enum.Enum):
    """Which way the sound of a device goes."""

    INPUT = "input"
    OUTPUT = "output"


def renew_devices() -> PortAudioCopy:
    """Have PortAudio list devices anew, and return the copy of the library that did.

    That is one without open streams, of which a further one is loaded if need be. Where none can
    be, streams that yield are closed for it; while others are open, the list stays what it was.
    """
    with _lock:
        copies = _loaded()
        idle = next((copy for copy in copies if not copy.streams), None)
        if idle is None and len(copies) < MAX_COPIES and (further := load_copy()) is not None:
            _add(further)
            return further
        if idle is None:
            idle = next((copy for copy in copies if copy.streams <= _yielding.keys()), None)
            for stream in tuple(idle.streams) if idle else ():
                _yielding[stream]()
                close_stream(stream)
        if idle is None or idle.streams:
            return copies[0]
        idle.renew()
        return idle


def _loaded() -> list[PortAudioCopy]:
    if not _copies:
        _add(PortAudioCopy(load_portaudio()))
    return _copies


def _add(copy: PortAudioCopy) -> None:
    _copies.append(copy)
    # What is registered last is called first: before the exit handlers of the copies.
    atexit.unregister(_stop_calls)
    atexit.register(_stop_calls)


def _stop_calls() -> None:
    """Keep other threads out of PortAudio from now on: the program ends, and terminates it.

    A call that does not end within `CLOSE_S` is left alone, and PortAudio is not terminated then.
    """
    if not _lock.acquire(timeout=CLOSE_S):
        for copy in _copies:
            atexit.unregister(copy.module._exit_handler)  # noqa: SLF001 - no public name


def open_input(device: AudioDevice, **options: Any) -> InputStream:
    """Open an input stream with the options of `sounddevice.InputStream`, not yet started.

    PortAudioError or ValueError when the device does not do that, DeviceUnavailableError where the
    devices were listed anew since.
    """
    with _lock:
        copy = _copy_of(device)
        stream: InputStream = copy.module.InputStream(
            device=device.index, dtype="float32", latency=LATENCY_S, **options
        )
        copy.streams.add(stream)
    return stream


def open_output(device: AudioDevice, *, closed: Callable[[], None], **options: Any) -> OutputStream:
    """Open an output stream with the options of `sounddevice.OutputStream`, not yet started.

    It yields: where the device list cannot be renewed otherwise, `closed` is called and it is
    closed. Raises as `open_input`.
    """
    with _lock:
        copy = _copy_of(device)
        stream: OutputStream = copy.module.OutputStream(
            device=device.index, dtype="float32", **options
        )
        copy.streams.add(stream)
        _yielding[stream] = closed
    return stream


def _copy_of(device: AudioDevice) -> PortAudioCopy:
    copy = device.copy or _loaded()[0]
    if device.renewals != copy.renewals:
        what = "the devices were listed anew meanwhile"
        raise DeviceUnavailableError(Problem(device.name, what, "try again"))
    return copy


def start_stream(stream: Stream) -> None:
    """Start a stream; one that does not start is closed. PortAudioError."""
    try:
        stream.start()
    except Exception:
        close_stream(stream)
        raise


def close_stream(stream: Stream) -> None:
    """Close a stream, in whatever state it is; harmless when done twice.

    One that does not end within `CLOSE_S` is abandoned. The device list of its copy of the library
    is not renewed any more then, nor that terminated with the program: both would wait for it.
    """
    portaudio = load_portaudio()

    def close() -> None:
        with suppress(portaudio.PortAudioError):
            stream.close()

    if not _lock.acquire(timeout=CLOSE_S):
        _abandon(stream)
        return
    try:
        if stream in _abandoned:
            return
        closing = Worker("close sound", close)
        closing.start()
        if closing.join(CLOSE_S):
            for copy in _copies:
                copy.streams.discard(stream)
            _yielding.pop(stream, None)
        else:
            _abandon(stream)
    finally:
        _lock.release()


def _abandon(stream: Stream) -> None:
    _abandoned.add(stream)
    for copy in tuple(_copies):
        if stream in copy.streams:
            atexit.unregister(copy.module._exit_handler)  # noqa: SLF001 - no public name


CARDS: Final = Path("/proc/asound/cards")

_CARD: Final = re.compile(r"^\s*(\d+) \[.*\n.* at (usb-[^\s,]+)", re.MULTILINE)
_NUMBER: Final = re.compile(r"\(hw:(\d+),\d+\)")


def usb_ports() -> dict[int, str]:
    """Return the USB port of each card by its number, as `usb-0000:00:14.0-1`.

    The number changes when the machine restarts, the port does not.
    """
    try:
        return ports_of(CARDS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return {}


def ports_of(cards: str) -> dict[int, str]:
    """Return the ports of the text of /proc/asound/cards, two lines for each card."""
    return {int(number): port for number, port in _CARD.findall(cards)}


def card_of(name: str) -> int | None:
    """Return the number of the card in the name of an ALSA device, None without one."""
    found = _NUMBER.search(name)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class AudioDevice:
    """One input or output device, as PortAudio lists it."""

    index: int
    name: str
    host_api: str
    channels: int
    """Channels that it delivers or plays at most."""
    default_rate_hz: int
    is_default: bool
    port: str = ""
    """Its USB port, as far as the system reports it; it stays when numbers change."""
    twin: int = 0
    """Its place, from 1, among devices of the same name, host API and port; 0 without such."""
    copy: PortAudioCopy | None = field(default=None, repr=False, compare=False)
    """The copy of PortAudio that listed it, None for the first one."""
    renewals: int = field(default=0, repr=False, compare=False)
    """How often that had made its list by then."""

    @property
    def full_name(self) -> str:
        """The name with its host API and its port, or its place among twins."""
        twin = f"#{self.twin}" if self.twin else ""
        return ", ".join(filter(None, (self.name, self.host_api, self.port, twin)))

    def __str__(self) -> str:
        return f"{self.index} {self.full_name}"


def list_devices(
    direction: Direction = Direction.INPUT, *, is_renewed: bool = False
) -> tuple[AudioDevice, ...]:
    """Return all devices of a direction, by index. DeviceUnavailableError without PortAudio.

    With `is_renewed` PortAudio looks for them again if there are others by now.
    """
    with _lock:
        copy = _renewed_if_needed() if is_renewed else _loaded()[0]
        return numbered(_listed_by(copy, direction))


def _renewed_if_needed() -> PortAudioCopy:
    """Return the copy with the newest list, which is made anew if another process sees others."""
    seen, now_s = _probe.listing(), time.monotonic()
    if (
        seen is None
        or seen != _newest.listing
        or now_s - _newest.made_s >= RENEWAL_S
        or _newest.copy is None
    ):
        _newest.copy = renew_devices()
        _newest.listing, _newest.made_s = listing_of(_newest.copy.module), now_s
    return _newest.copy


def prepare_renewal() -> None:
    """Load a copy of the library for devices that come later, while nobody has to wait for it."""
    with _lock:
        _renewed_if_needed()


def _listed_by(copy: PortAudioCopy, direction: Direction) -> tuple[AudioDevice, ...]:
    portaudio = copy.module
    apis = [api["name"] for api in portaudio.query_hostapis()]
    default_index = portaudio.default.device[direction is Direction.OUTPUT]
    channels = f"max_{direction.value}_channels"
    ports = usb_ports()
    return tuple(
        AudioDevice(
            index=index,
            name=device["name"],
            host_api=apis[device["hostapi"]],
            channels=device[channels],
            default_rate_hz=round(device["default_samplerate"]),
            is_default=index == default_index,
            port=ports.get(card, "") if (card := card_of(device["name"])) is not None else "",
            copy=copy,
            renewals=copy.renewals,
        )
        for index, device in enumerate(portaudio.query_devices())
        if device[channels] > 0
    )


def numbered(devices: Sequence[AudioDevice]) -> tuple[AudioDevice, ...]:
    """Return the devices with the places of twins among themselves."""
    counts = Counter(device.full_name for device in devices)
    places: Counter[str] = Counter()
    found = []
    for device in devices:
        if counts[device.full_name] > 1:
            places[device.full_name] += 1
            found.append(replace(device, twin=places[device.full_name]))
        else:
            found.append(device)
    return tuple(found)


def default_device(devices: Sequence[AudioDevice]) -> AudioDevice:
    """Return the system's default microphone. DeviceUnavailableError when there is none."""
    for device in devices:
        if device.is_default:
            return device
    what, remedy = "no input device was found", "connect a microphone"
    if devices:
        what, remedy = "there is no default microphone", f"choose one of: {_listed(devices)}"
    raise DeviceUnavailableError(Problem(MICROPHONE, what, remedy))


def select_device(
    devices: Sequence[AudioDevice], wanted: str, direction: Direction = Direction.INPUT
) -> AudioDevice:
    """Return the device meant by an index, a name or an unambiguous part of a name.

    Names are compared as `name_key` has them; part means within "name, host API, port". A whole
    name wins over one in another case, that over a part; of several devices the only one of the
    default device's host API wins (Windows lists each four times). UserError, with the list, when
    none or several are meant.
    """
    if wanted.strip().isdecimal():
        meant = [device for device in devices if device.index == int(wanted)]
    else:
        key = name_key(wanted)
        meant = (
            [d for d in devices if wanted in (d.name, d.full_name)]
            or [d for d in devices if key in (name_key(d.name), name_key(d.full_name))]
            or [d for d in devices if key in name_key(d.full_name)]
        )
    if len(meant) > 1:
        apis = {device.host_api for device in devices if device.is_default}
        meant = [d for d in meant if d.host_api in apis] or meant
    if len(meant) == 1:
        return meant[0]
    if meant:
        what = f"{len(meant)} {direction.value} devices have {wanted!r} in their name"
        raise UserError(Problem(wanted, what, f"choose one of: {_listed(meant)}"))
    what, remedy = f"no {direction.value} device was found", "connect one"
    if devices:
        remedy = f"the {direction.value} devices are: {_listed(devices)}"
        what = "neither an input device nor an audio file"
        if direction is Direction.OUTPUT:
            what = "no such output device"
    raise UserError(Problem(wanted, what, remedy))


def _listed(devices: Sequence[AudioDevice]) -> str:
    return "; ".join(str(device) for device in devices)

"""The input devices there are, and which one a user means."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.audio.portaudio import DeviceUnavailableError, load_portaudio, renew_devices
from bridge.audio.source import MICROPHONE
from bridge.audio.usb_ports import card_of, usb_ports
from bridge.errors import Problem, UserError
from bridge.names import name_key

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class InputDevice:
    """One device that records, as PortAudio lists it."""

    index: int
    name: str
    host_api: str
    channels: int
    """Most channels it delivers."""
    default_rate_hz: int
    is_default: bool
    port: str = ""
    """Where it is plugged in, as far as the system tells; it stays when numbers change."""
    twin: int = 0
    """Its place, from 1, among devices of the same name, host API and port; 0 without such."""

    @property
    def full_name(self) -> str:
        """The name with its host API and its port, or its place among twins."""
        twin = f"#{self.twin}" if self.twin else ""
        return ", ".join(filter(None, (self.name, self.host_api, self.port, twin)))

    def __str__(self) -> str:
        return f"{self.index} {self.full_name}"


def list_devices(*, is_renewed: bool = False) -> tuple[InputDevice, ...]:
    """Return all input devices, by index. DeviceUnavailableError when PortAudio is missing.

    With `is_renewed` PortAudio looks for them again, unless a stream is open.
    """
    portaudio = load_portaudio()
    if is_renewed:
        renew_devices()
    apis = [api["name"] for api in portaudio.query_hostapis()]
    default_index = portaudio.default.device[0]
    ports = usb_ports()
    listed = (
        InputDevice(
            index=index,
            name=device["name"],
            host_api=apis[device["hostapi"]],
            channels=device["max_input_channels"],
            default_rate_hz=round(device["default_samplerate"]),
            is_default=index == default_index,
            port=ports.get(card, "") if (card := card_of(device["name"])) is not None else "",
        )
        for index, device in enumerate(portaudio.query_devices())
        if device["max_input_channels"] > 0
    )
    return numbered(tuple(listed))


def numbered(devices: Sequence[InputDevice]) -> tuple[InputDevice, ...]:
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


def default_device(devices: Sequence[InputDevice]) -> InputDevice:
    """Return the system's default microphone. DeviceUnavailableError when there is none."""
    for device in devices:
        if device.is_default:
            return device
    what, remedy = "no input device was found", "connect a microphone"
    if devices:
        what, remedy = "there is no default microphone", f"choose one of: {_listed(devices)}"
    raise DeviceUnavailableError(Problem(MICROPHONE, what, remedy))


def select_device(devices: Sequence[InputDevice], wanted: str) -> InputDevice:
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
        what = f"{len(meant)} input devices have {wanted!r} in their name"
        raise UserError(Problem(wanted, what, f"choose one of: {_listed(meant)}"))
    if not devices:
        raise UserError(Problem(wanted, "no input device was found", "connect a microphone"))
    what = "neither an input device nor an audio file"
    raise UserError(Problem(wanted, what, f"the input devices are: {_listed(devices)}"))


def _listed(devices: Sequence[InputDevice]) -> str:
    return "; ".join(str(device) for device in devices)

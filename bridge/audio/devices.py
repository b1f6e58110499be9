"""The input devices there are, and which one a user means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.audio.portaudio import DeviceUnavailableError, load_portaudio, renew_devices
from bridge.audio.source import MICROPHONE
from bridge.errors import Problem, UserError

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

    @property
    def full_name(self) -> str:
        """The name with its host API, which tells twins apart."""
        return f"{self.name}, {self.host_api}"

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
    return tuple(
        InputDevice(
            index=index,
            name=device["name"],
            host_api=apis[device["hostapi"]],
            channels=device["max_input_channels"],
            default_rate_hz=round(device["default_samplerate"]),
            is_default=index == default_index,
        )
        for index, device in enumerate(portaudio.query_devices())
        if device["max_input_channels"] > 0
    )


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

    Part means in any case, within "name, host API". A whole name wins over a part; of several
    devices the only one of the default device's host API wins (Windows lists each four times).
    UserError, with the list, when none or several are meant.
    """
    if wanted.strip().isdecimal():
        meant = [device for device in devices if device.index == int(wanted)]
    else:
        meant = [d for d in devices if wanted in (d.name, d.full_name)] or [
            d for d in devices if wanted.casefold() in d.full_name.casefold()
        ]
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

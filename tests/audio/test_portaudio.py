"""Which of several sample rates a device is opened at."""

from __future__ import annotations

import pytest

from cstalk_bridge.audio.portaudio import DeviceUnavailableError, open_at_first_rate


class Device:
    """A device that takes some rates only."""

    def __init__(self, *rates_hz: int) -> None:
        self.rates_hz = rates_hz
        self.tried: list[int] = []

    def open_at(self, rate_hz: int) -> str:
        self.tried.append(rate_hz)
        if rate_hz not in self.rates_hz:
            raise ValueError(f"no {rate_hz}\nin two lines")
        return f"open at {rate_hz}"


def test_the_first_rate_that_is_taken_wins_and_none_is_tried_twice() -> None:
    device = Device(44100, 96000)
    opened = open_at_first_rate("Mic", (16000, 48000, 16000, 44100, 96000), device.open_at, "wait")
    assert opened == "open at 44100"
    assert device.tried == [16000, 48000, 44100]


def test_a_device_that_takes_none_is_named_with_every_refusal() -> None:
    with pytest.raises(DeviceUnavailableError) as raised:
        open_at_first_rate("Mic", (16000, 48000), Device().open_at, "wait for it")
    (problem,) = raised.value.problems
    assert problem.where == "Mic"
    assert problem.what == ("the device cannot be opened (16000 Hz: no 16000; 48000 Hz: no 48000)")
    assert problem.remedy == "wait for it"


def test_other_errors_are_not_taken_for_refusals() -> None:
    def fails(_rate_hz: int) -> str:
        raise KeyError("no rate")

    with pytest.raises(KeyError):
        open_at_first_rate("Mic", (16000, 48000), fails, "")

"""The table of input devices."""

from __future__ import annotations

from cstalk_bridge.audio.devices import AudioDevice
from cstalk_bridge.cli.live import device_table


def test_the_default_device_is_starred_and_columns_are_aligned() -> None:
    table = device_table(
        [
            AudioDevice(0, "Built-in", "ALSA", 2, 44100, is_default=False),
            AudioDevice(11, "Interface, 8 channels", "JACK", 8, 48000, is_default=True),
        ]
    )
    head, first, second, *_ = table.splitlines()
    assert second.startswith("* ")
    assert head.index("system") == first.index("ALSA") == second.index("JACK")


def test_without_devices_the_alternative_is_printed() -> None:
    assert "bundled recording" in device_table([])

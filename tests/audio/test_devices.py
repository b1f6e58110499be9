from __future__ import annotations

import subprocess
import sys

import pytest

from cstalk_bridge.audio.devices import (
    AudioDevice,
    card_of,
    default_device,
    numbered,
    ports_of,
    select_device,
)
from cstalk_bridge.models.errors import UserError


def device(
    index: int, name: str, api: str = "Core Audio", *, is_default: bool = False
) -> AudioDevice:
    return AudioDevice(index, name, api, 2, 48000, is_default)


STUDIO = (
    device(0, "Built-in Microphone", is_default=True),
    device(2, "USB Mic"),
    device(5, "USB Mic Pro"),
    device(7, "Scarlett 18i20 USB"),
)
WINDOWS = (
    device(1, "Headset", "MME", is_default=True),
    device(6, "Headset", "Windows WASAPI"),
    device(8, "Line In", "Windows WASAPI"),
    device(9, "Line In", "Windows WDM-KS"),
)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ("2", 2),
        ("USB Mic", 2),
        ("USB Mic, Core Audio", 2),
        ("scarlett", 7),
        ("PRO", 5),
        ("ilt-", 0),
        ("usb mic", 2),
        ("  USB Mic ", 2),
        ("\uff35\uff33\uff22 mic pro", 5),
    ],
)
def test_an_index_a_name_or_an_unambiguous_part_finds_the_device(wanted: str, index: int) -> None:
    assert select_device(STUDIO, wanted).index == index


def test_among_duplicate_names_the_default_host_api_wins() -> None:
    assert select_device(WINDOWS, "headset").index == 1
    assert select_device(WINDOWS, "Headset, Windows WASAPI").index == 6


def test_an_ambiguous_part_of_a_name_is_refused_with_the_candidates() -> None:
    with pytest.raises(UserError) as caught:
        select_device(STUDIO, "usb mi")
    message = str(caught.value)
    assert "2 input devices have 'usb mi' in their name" in message
    assert "2 USB Mic, Core Audio; 5 USB Mic Pro, Core Audio" in message
    assert "Scarlett" not in message
    with pytest.raises(UserError, match="2 input devices"):
        select_device(WINDOWS, "line in")


@pytest.mark.parametrize("wanted", ["nothing", "1", "99", "-1"])
def test_an_unknown_device_is_refused_with_the_list_of_devices(wanted: str) -> None:
    with pytest.raises(UserError) as caught:
        select_device(STUDIO, wanted)
    message = str(caught.value)
    assert message.startswith(f"{wanted}: ")
    assert all(device.name in message for device in STUDIO)


def test_the_default_device_is_found_or_the_reason_is_given() -> None:
    assert default_device(STUDIO).index == 0
    with pytest.raises(UserError, match="no default microphone; choose one of: 2 USB Mic"):
        default_device(STUDIO[1:])
    with pytest.raises(UserError, match="no input device was found"):
        default_device(())
    with pytest.raises(UserError, match="no input device was found"):
        select_device((), "usb")


def test_device_names_match_in_composed_and_decomposed_unicode() -> None:
    devices = (device(0, "Büro-Mikrofon"), device(1, "Bu\u0308hne"))
    assert select_device(devices, "bu\u0308ro-mikrofon").index == 0
    assert select_device(devices, "BÜHNE").index == 1


def test_duplicate_names_are_distinguished_by_port_and_index() -> None:
    left = AudioDevice(3, "USB Audio: - (hw:1,0)", "ALSA", 1, 48000, False, "usb-0000:00:14.0-1")
    right = AudioDevice(4, "USB Audio: - (hw:2,0)", "ALSA", 1, 48000, False, "usb-0000:00:14.0-2")
    assert select_device((left, right), "usb-0000:00:14.0-2") is right
    twins = numbered((device(2, "USB Audio"), device(5, "USB Audio"), device(6, "Other")))
    assert [twin.full_name for twin in twins] == [
        *("USB Audio, Core Audio, #1", "USB Audio, Core Audio, #2", "Other, Core Audio"),
    ]
    assert select_device(twins, "USB Audio, Core Audio, #2").index == 5
    with pytest.raises(UserError, match="5 USB Audio, Core Audio, #2"):
        select_device(twins, "usb audio")


def test_the_usb_port_of_a_card_is_read_from_alsa() -> None:
    cards = (
        " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n"
        "                      HDA Intel PCH at 0xdf440000 irq 139\n"
        " 2 [Device         ]: USB-Audio - USB PnP Sound Device\n"
        "                      C-Media USB PnP Sound Device at usb-0000:00:14.0-1.4, full speed\n"
    )
    assert ports_of(cards) == {2: "usb-0000:00:14.0-1.4"}
    assert card_of("USB PnP Sound Device: Audio (hw:2,0)") == 2
    assert card_of("pulse") is None


LISTING = """
import threading, time
from cstalk_bridge.audio import devices

def keep_listing():
    while True:
        devices.renew_devices()
        time.sleep(0.01)

devices.list_devices()
threading.Thread(target=keep_listing, daemon=True).start()
time.sleep(0.2)
"""


def test_a_program_ends_in_peace_while_a_thread_lists_devices() -> None:
    ended = subprocess.run([sys.executable, "-c", LISTING], check=False, timeout=60.0)
    assert ended.returncode == 0

"""The fake microphones themselves; what they are for is tested in tests/audio."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cstalk_bridge.bench.microphone import FakeMicrophones
from cstalk_bridge.models.errors import UserError


def started() -> FakeMicrophones:
    try:
        return FakeMicrophones(("left", "right"))
    except UserError as error:
        pytest.skip(str(error))


def sources(microphones: FakeMicrophones) -> str:
    return subprocess.run(
        ["pactl", "list", "short", "sources"],
        env=microphones.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    ).stdout


def test_the_server_has_the_named_microphones_and_cleans_up() -> None:
    with started() as microphones:
        home = Path(microphones.environment["HOME"])
        listed = sources(microphones)
        assert "left" in listed
        assert "right" in listed
        microphones.kill()
        microphones.restart()
        assert sources(microphones).count("48000Hz") == 2
    assert not home.exists()


def test_without_pulseaudio_the_error_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"PulseAudio|pulseaudio and pactl not found"):
        FakeMicrophones()

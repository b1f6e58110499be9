"""From what a subject is told to hear to a source that can be started."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bridge.audio.channel import ALL
from bridge.audio.file import AUDIO_SUFFIXES, FileSource
from bridge.audio.microphone import Microphone
from bridge.audio.portaudio import DeviceUnavailableError
from bridge.audio.source import MICROPHONE, TEST_SOUND
from bridge.audio.tone import TestSource
from bridge.paths import is_file

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from bridge.audio.source import Source
    from bridge.audio.spec import AudioSpec

SPEECH_PATH = Path(__file__).with_name("speech.ogg")
"""The recording that is heard where there is no microphone; `speech.md` says what it is."""


class Opening(NamedTuple):
    """A source, and a line for the user when not all is as it was asked for."""

    source: Source
    notice: str | None


def open_source(
    spec: AudioSpec, *, now: Callable[[], float], wake: threading.Event, is_voice: bool = True
) -> Opening:
    """Open what `spec.input` means: "mic", "test", a file, else a device.

    A path that exists, or that ends like an audio file, is a file. Where "mic" finds no microphone
    that can be used, the bundled recording is opened instead, in a loop, with a notice of one line
    that says why. Without `is_voice` all channels of a file are mixed, whatever they hold, where
    none is named. UserError in every other case that cannot be opened.
    """
    if spec.input == TEST_SOUND:
        return Opening(TestSource(now=now), None)
    path = Path(os.path.expanduser(spec.input))  # noqa: PTH111 - never fails
    if spec.input != MICROPHONE and _is_file(path):
        # A mix is read as long as timecode is the loudest in it; choosing is for voices.
        channel = spec.channel or (None if is_voice else ALL)
        recording = FileSource(path, now=now, channel=channel)
        notice = "; ".join(recording.notices)
        return Opening(recording, f"{path}: {notice}" if notice else None)
    try:
        return Opening(Microphone(spec.input, now=now, wake=wake, channel=spec.channel), None)
    except DeviceUnavailableError as error:
        if spec.input != MICROPHONE:
            raise
        reason = "; ".join(str(problem) for problem in error.problems)
    recording = FileSource(SPEECH_PATH, now=now, is_loop=True)
    return Opening(recording, f"the bundled recording is played instead of a microphone: {reason}")


def _is_file(path: Path) -> bool:
    """Tell whether a file is meant: one that exists, or a name that ends like one."""
    return path.suffix.lower() in AUDIO_SUFFIXES or is_file(path)

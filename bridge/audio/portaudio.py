"""PortAudio, loaded when it is first needed, one call at a time."""

from __future__ import annotations

import atexit
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from bridge.errors import Problem, UserError

if TYPE_CHECKING:
    from sounddevice import InputStream

LATENCY_S = 0.020
"""What is asked of the driver: less is refused by PulseAudio, more comes in bursts of blocks."""

CLOSE_S = 2.0
"""Time that closing a stream may take. libpulse waits for itself, for ever, where its server is
killed while a block is being read."""

_lock = threading.RLock()
"""PortAudio's opening, closing and listing are not thread-safe."""

_open_streams: set[InputStream] = set()
"""The streams that are open: the device list is renewed only when there is none."""

_left_behind: set[InputStream] = set()
"""Those whose closing does not end."""


class DeviceUnavailableError(UserError):
    """There is no such microphone now, or none at all; nothing is wrong with what was asked for."""


def load_portaudio() -> Any:
    """Return the module `sounddevice`. DeviceUnavailableError when PortAudio is missing."""
    try:
        import sounddevice
    except OSError as error:
        remedy = "reinstall the Python package sounddevice"
        if sys.platform.startswith("linux"):
            remedy = "install the system package libportaudio2 (apt-get install libportaudio2)"
        what = f"no microphone can be used, {error}"
        raise DeviceUnavailableError(Problem("PortAudio", what, remedy)) from None
    return sounddevice


def renew_devices() -> None:
    """Let PortAudio look for devices again; does nothing while a stream is open.

    PortAudio lists devices only when it is initialised, which ends every stream.
    """
    portaudio = load_portaudio()
    with _lock:
        if not _open_streams:
            # The package has no public names for this.
            portaudio._terminate()  # noqa: SLF001
            portaudio._initialize()  # noqa: SLF001


def open_input(**options: Any) -> InputStream:
    """Open an input stream with the options of `sounddevice.InputStream`, not yet started.

    PortAudioError or ValueError when the device does not do that.
    """
    portaudio = load_portaudio()
    with _lock:
        stream = portaudio.InputStream(dtype="float32", latency=LATENCY_S, **options)
        _open_streams.add(stream)
    return stream


def close_input(stream: InputStream) -> None:
    """Close a stream, in whatever state it is; harmless when done twice.

    One that does not end within `CLOSE_S` is left behind. The device list is not renewed any more
    then, nor PortAudio ended with the program: both would wait for that stream.
    """
    portaudio = load_portaudio()

    def close() -> None:
        with suppress(portaudio.PortAudioError):
            stream.close()

    if not _lock.acquire(timeout=CLOSE_S):
        _leave_behind(stream)
        return
    try:
        if stream in _left_behind:
            return
        closing = threading.Thread(target=close, name="close mic", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            _leave_behind(stream)
        else:
            _open_streams.discard(stream)
    finally:
        _lock.release()


def _leave_behind(stream: InputStream) -> None:
    _left_behind.add(stream)
    atexit.unregister(load_portaudio()._exit_handler)  # noqa: SLF001 - no public name

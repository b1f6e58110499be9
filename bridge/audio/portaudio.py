"""Copies of the PortAudio library, so that devices can be listed anew while streams are open.

PortAudio lists devices when it is initialised, and ending it ends its streams. A further copy of
the library, loaded from a file of its own, has a state of its own: it finds a device that was
plugged in while the first one records.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

Opened = TypeVar("Opened")

MAX_COPIES: Final = 16
"""Copies that are loaded at most: each holds the devices that came after those of the others."""

MAPS: Final = Path("/proc/self/maps")


class DeviceUnavailableError(UserError):
    """The device, or any device, is missing at present; the request itself is valid."""


def load_portaudio() -> Any:
    """Return the module `sounddevice`. DeviceUnavailableError when PortAudio is missing."""
    try:
        import sounddevice
    except OSError as error:
        remedy = "reinstall the Python package sounddevice"
        if sys.platform.startswith("linux"):
            remedy = "install the system package libportaudio2 (apt-get install libportaudio2)"
        what = f"no sound device can be used, {error}"
        raise DeviceUnavailableError(Problem("PortAudio", what, remedy)) from None
    return sounddevice


def open_at_first_rate(
    name: str, rates_hz: Iterable[int], open_at: Callable[[int], Opened], remedy: str
) -> Opened:
    """Return what `open_at` opens at the first of these sample rates that the device `name` takes.

    A rate for which it raises PortAudioError or ValueError is refused. DeviceUnavailableError with
    every refusal and this remedy where all are.
    """
    refused = (load_portaudio().PortAudioError, ValueError)
    refusals = []
    for rate_hz in dict.fromkeys(rates_hz):
        try:
            return open_at(rate_hz)
        except refused as error:
            refusals.append(f"{rate_hz} Hz: {str(error).splitlines()[0]}")
    what = f"the device cannot be opened ({'; '.join(refusals)})"
    raise DeviceUnavailableError(Problem(name, what, remedy))


class PortAudioCopy:
    """One copy of the library; not thread-safe, see `devices`.

    `renewals` counts how often its list was made: an index means a device of one list only.
    """

    def __init__(self, module: Any) -> None:
        self.module = module
        self.streams: set[Any] = set()
        """Its open streams, which a new list would end."""
        self.renewals = 0

    def renew(self) -> None:
        """List the devices anew. RuntimeError while a stream is open."""
        if self.streams:
            raise RuntimeError("a stream is open")
        # The package has no public names for this.
        self.module._terminate()  # noqa: SLF001
        self.module._initialize()  # noqa: SLF001
        self.renewals += 1


def load_copy() -> PortAudioCopy | None:
    """Return a further copy of the library, None where the system allows none."""
    first = load_portaudio()
    library = _library_path(first)
    if library is None:
        return None
    try:
        return PortAudioCopy(_second_module(first, library))
    except (OSError, AttributeError, first.PortAudioError):
        return None


def _second_module(first: Any, library: Path) -> ModuleType:
    """Return the package's module again, bound to a copy of the library."""
    spec = importlib.util.spec_from_file_location(f"{first.__name__}_copy", first.__file__)
    if spec is None or spec.loader is None:
        raise OSError("the package cannot be loaded again")
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Both modules have initialised the first library by now, which counts how often.
    module._terminate()  # noqa: SLF001
    copied = _copied(library)
    try:
        module._lib = module._ffi.dlopen(str(copied))  # noqa: SLF001
    finally:
        with suppress(OSError):  # Windows removes no library that is loaded.
            copied.unlink()
    module.PortAudioError = first.PortAudioError
    module._initialize()  # noqa: SLF001
    return module  # type: ignore[no-any-return]


def _copied(library: Path) -> Path:
    """Return a copy of a file in the folder of temporary ones."""
    with tempfile.NamedTemporaryFile(
        prefix="cstalk-", suffix=library.suffix or ".so", delete=False
    ) as file:
        file.write(library.read_bytes())
    return Path(file.name)


def _library_path(module: Any) -> Path | None:
    """Return the file of the library that a module has loaded, None where it cannot be told."""
    named = Path(str(getattr(module, "_libname", "")))
    if named.is_file():
        return named
    with suppress(OSError):
        for line in MAPS.read_text(encoding="utf-8", errors="replace").splitlines():
            path = Path(line.split(maxsplit=5)[-1])
            if path.name.startswith(named.name) and path.is_file():
                return path
    return None

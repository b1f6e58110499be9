"""Takes of a session with the curves of their rig maps, and the worker thread that
generates them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import ValidationError

from cstalk_bridge.face.emotion import check_face_settings, chosen_weights
from cstalk_bridge.face.emotion_trajectory import SampledEmotion
from cstalk_bridge.face.procedural.animation import DEFAULT_LEVELS, LEVEL_NAMES, Levels
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.preview.recordings import (
    CONFLICT,
    NOT_FOUND,
    TOO_MANY,
    http_error,
    new_id,
    problems_list,
)
from cstalk_bridge.rig.curves import load_table
from cstalk_bridge.rig.load import SHIPPED, load_rigmap, shipped_names
from cstalk_bridge.settings.table import take_settings
from cstalk_bridge.system.files import is_file, printable
from cstalk_bridge.system.worker import SERVER_STOP_TIMEOUT_S, Worker
from cstalk_bridge.takes.generate import (
    GENERATED_RATE,
    GenerationConfig,
    StoppedError,
    generate_take,
)
from cstalk_bridge.takes.sound import pieces
from cstalk_bridge.takes.take import curve_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cstalk_bridge.models.cstalk.generator import Generator
    from cstalk_bridge.preview.recordings import Recording
    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.sound import Sound
    from cstalk_bridge.takes.take import Take


MAX_FILES = 64
"""Rig maps of the user that are looked at."""

UNITS = 10_000
"""Steps of one in the curves which a page gets: they go from -3.2767 to 3.2767."""

MAX_HELD_BYTES = 1 << 27
"""Size of all curves that are held: an hour of a MetaHuman's 251."""


class RigMaps:
    """The shipped rig maps and those of `folders`, read when they are first needed.

    A file is read again after it changed. One that is no rig map is left out; the problems of a
    faulty one are listed.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._paths = dict(_named(folders))
        self._read: dict[str, tuple[tuple[int, int], RigMap]] = {}
        self._lock = threading.Lock()

    def listed(self) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """Return all maps with their curves, and the problems of those that cannot be read."""
        maps, problems = [], []
        for name in self._paths:
            try:
                maps.append(_described(self.get(name), name))
            except UserError as error:
                problems += problems_list(error.problems)
            except Exception as error:  # noqa: BLE001 - one file must not take the page down
                what = f"an internal error: {type(error).__name__}: {error}"
                problems += problems_list((Problem(name, what),))
        return maps, problems

    def get(self, name: str) -> RigMap:
        """Return a map of `listed`. UserError with its problems; HttpError for another name."""
        path = self._paths.get(name)
        if path is None:
            remedy = f"choose one of {', '.join(self._paths)}"
            raise http_error(NOT_FOUND, "rigmap", f"there is no {name[:80]!r}", remedy)
        with self._lock:
            try:
                status = path.stat()
                state = (status.st_mtime_ns, status.st_size)
            except OSError:
                state = (0, 0)
            known = self._read.get(name)
            if known is None or known[0] != state:
                known = self._read[name] = (state, load_rigmap(path))
            return known[1]


class CurveStore:
    """Curves of takes, as pages get them, within `MAX_HELD_BYTES`; the least recently used go."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[int, int], tuple[Take, RigMap, list[bytes]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def blocks(self, take: Take, rigmap: RigMap) -> Iterator[bytes]:
        """Yield int16 little-endian [rows, curves] in `UNITS`, block after block."""
        key = (id(take), id(rigmap))
        with self._lock:
            held = self._held.get(key)
            if held is not None:
                self._held.move_to_end(key)
        if held is not None:
            yield from held[2]
            return
        if 2 * take.rows * len(rigmap.outputs) > MAX_HELD_BYTES:
            yield from _packed(take, rigmap)
            return
        blocks = list(_packed(take, rigmap))
        self._hold(key, (take, rigmap, blocks))
        yield from blocks

    def _hold(self, key: tuple[int, int], curves: tuple[Take, RigMap, list[bytes]]) -> None:
        with self._lock:
            if key in self._held:
                return
            self._held[key] = curves
            self._bytes += _size(curves[2])
            while self._bytes > MAX_HELD_BYTES:
                _, (_, _, blocks) = self._held.popitem(last=False)
                self._bytes -= _size(blocks)


def _packed(take: Take, rigmap: RigMap) -> Iterator[bytes]:
    for block in curve_blocks(take, rigmap):
        units = np.clip(np.round(block * UNITS), -32767, 32767)
        yield units.astype("<i2").tobytes()


def _size(blocks: list[bytes]) -> int:
    return sum(map(len, blocks))


def _named(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the shipped maps by name, then files that look like maps, by name or path."""
    names = set(shipped_names())
    yield from ((name, SHIPPED / f"{name}.yaml") for name in sorted(names))
    found = (path for folder in folders for path in sorted(folder.glob("*.yaml")))
    own = (path for path in found if _looks_like_map(path) and path.resolve().parent != SHIPPED)
    for path, _ in zip(own, range(MAX_FILES), strict=False):
        name = printable(path.stem)
        name = name if name not in names else printable(str(path))
        names.add(name)
        yield name, path


def _looks_like_map(path: Path) -> bool:
    """Whether it is a file in which a key of a rig map begins a line."""
    try:
        if not is_file(path):
            return False
        with path.open(encoding="utf-8", errors="replace") as file:
            begin = file.read(1 << 16)
    except OSError:
        return False
    return any(line.startswith(("curves:", "extends:")) for line in begin.splitlines())


def _described(rigmap: RigMap, name: str) -> dict[str, Any]:
    table = load_table(rigmap.target).by_name
    curves = []
    for output in rigmap.outputs:
        curve = table.get(output)
        region, side = (curve.region, curve.side) if curve else ("other", "C")
        curves.append({"name": printable(output), "region": region, "side": side})
    return {"name": name, "target": rigmap.target, "curves": curves}


MAX_TAKES = 16

MAX_HELD_S = 8 * 3600.0
"""Length of all takes together: half a gigabyte of rows."""

MAX_COMPARED = 2
"""Takes that stay whatever their length: those on the page."""

TakeState = Literal["generating", "ready", "failed"]


@dataclass(slots=True, eq=False)
class TakeEntry:
    """One take, from its request on. The worker writes `progress` and, at the end, the rest.

    `folder` has the last folders of the file that the command line named, separated by `/`.
    """

    name: str
    recording: Recording | None
    settings: GenerationConfig
    folder: str = ""
    id: str = field(default_factory=new_id)
    state: TakeState = "generating"
    progress: float = 0.0
    problems: tuple[Problem, ...] = ()
    notice: str | None = None
    take: Take | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def duration_s(self) -> float:
        """Length of the take, as far as it is known that of its sound."""
        if self.take is not None:
            return self.take.duration_s
        return self.recording.duration_s if self.recording else 0.0

    def info(self) -> dict[str, Any]:
        """Return the take as the page reads it (`TakeInfo`)."""
        take = self.take
        return {
            "id": self.id,
            "name": self.name,
            "folder": self.folder,
            "recording": self.recording.id if self.recording else None,
            "state": self.state,
            "progress": round(self.progress, 4),
            "problems": problems_list(self.problems),
            "duration_s": self.duration_s,
            "rate_hz": (take.rate if take else GENERATED_RATE).hz,
            "rows": take.rows if take else 0,
            "has_sound": self.recording is not None,
            "is_recorded": take is not None and take.performance is not None,
            "emotion": chosen_weights(self.settings.mix),
            **{entry.name: getattr(self.settings, entry.name) for entry in take_settings()},
            "levels": asdict(self.settings.levels),
            "notice": self.notice,
        }


MAX_CHANGES_SHOWN = 6
"""Changes of settings during a recorded take that its notice lists."""


def entry_of(take: Take, recording: Recording | None) -> TakeEntry:
    """Return the entry of a finished take, with its provenance."""
    known: dict[str, Any] = {
        entry.name: _number(take, entry.name, entry.default, entry.bounds[1])
        for entry in take_settings()
    }
    emotions = take.emotions
    if isinstance(emotions, SampledEmotion):
        emotions = emotions.beginning
    settings = GenerationConfig(emotions, levels=_levels(take), **known)
    changes = [change.text for change in take.changes[:MAX_CHANGES_SHOWN]]
    if len(take.changes) > MAX_CHANGES_SHOWN:
        changes.append(f"and {len(take.changes) - MAX_CHANGES_SHOWN} more changes")
    return TakeEntry(
        entry_name(take),
        recording,
        settings,
        state="ready",
        progress=1.0,
        take=take,
        notice="; ".join((*take.notices, *changes)) or None,
    )


def entry_name(take: Take) -> str:
    """Return what a page calls a take: its name, and the subject of a recorded one."""
    return f"{take.name} {take.subject}".rstrip()


def _levels(take: Take) -> Levels:
    """Return the levels that a take was made with; defaults for those that it does not name."""
    made = asdict(DEFAULT_LEVELS)
    try:
        levels = {name: _number(take, f"level_{name}", made[name], inf) for name in LEVEL_NAMES}
        return Levels(**levels)
    except ValidationError:  # of another program, or by hand
        return DEFAULT_LEVELS


def _number(take: Take, name: str, default: float, most: float) -> float:
    """Return a number that a take was made with; the default where it is not 0 to `most`."""
    value = take.provenance.get(name, default)
    return value if isinstance(value, int | float) and 0 <= value <= most else default


class Takes:
    """The takes of a session; the least recently used make room for new ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, TakeEntry] = {}

    def all(self) -> list[TakeEntry]:
        """Return all, the least recently used first."""
        with self._lock:
            return list(self._held.values())

    def get(self, take_id: str) -> TakeEntry:
        """Return a take, which counts as used. HttpError where there is none."""
        with self._lock:
            entry = self._held.pop(take_id, None)
            if entry is not None:
                self._held[take_id] = entry
                return entry
        what = f"there is no {take_id[:40]!r}; it was closed, or left out for newer ones"
        raise http_error(NOT_FOUND, "take", what, "make it again")

    def ready(self, take_id: str) -> tuple[TakeEntry, Take]:
        """Return a take that can be shown. HttpError where there is none, or not yet."""
        entry = self.get(take_id)
        if entry.take is None:
            raise http_error(
                CONFLICT, entry.name, f"the take is {entry.state}", "wait until it is ready"
            )
        return entry, entry.take

    def add(self, entry: TakeEntry) -> None:
        """Hold a take. HttpError where all that are held are still being made."""
        with self._lock:
            free = [held for held in self._held.values() if held.state != "generating"]
            while free and not self._has_room(entry):
                del self._held[free.pop(0).id]
            if len(self._held) >= MAX_TAKES:
                what = f"{MAX_TAKES} takes are being made"
                raise http_error(TOO_MANY, entry.name, what, "wait, or close one")
            self._held[entry.id] = entry

    def drop(self, take_id: str) -> None:
        """Forget a take and stop making it. HttpError where there is none."""
        self.get(take_id).stop.set()
        with self._lock:
            self._held.pop(take_id, None)

    def used_recordings(self) -> set[str]:
        """Return the ids of recordings which takes were made of."""
        return {entry.recording.id for entry in self.all() if entry.recording}

    def _has_room(self, entry: TakeEntry) -> bool:
        held = self._held.values()
        long_s = sum(other.duration_s for other in held) + entry.duration_s
        is_short = long_s <= MAX_HELD_S or len(held) < MAX_COMPARED
        return len(held) < MAX_TAKES and is_short


SILENCE_PEAK = 10.0 ** (-60.0 / 20.0)
"""Peak, of full scale, below which a recording holds no voice: -60 dBFS."""

SILENT_NOTICE = "The recording is silent, so the face rests. Was the right channel recorded?"


class TakeWorker:
    """Makes what is wanted, one take after the other.

    `load` returns the generator; it is called in the worker's thread at the first request, and may
    import torch. `named` gives the files of a problem the user's names.
    """

    def __init__(
        self, load: Callable[[], Generator], named: Callable[[UserError], UserError]
    ) -> None:
        self._load = load
        self._named = named
        self._notice: Callable[[str], None] = lambda _text: None
        self._generator: Generator | None = None
        self._wanted: list[TakeEntry] = []
        self._changed = threading.Condition()
        self._worker = Worker("preview takes", self._work)

    def want(self, entry: TakeEntry) -> None:
        """Make a take when its turn comes; returns at once."""
        with self._changed:
            # Without what was dropped meanwhile there are no more than the takes that are held.
            self._wanted = [*(other for other in self._wanted if not other.stop.is_set()), entry]
            self._changed.notify()

    def start(self, notice: Callable[[str], None]) -> None:
        """Begin to work; `notice` receives faults of the program."""
        self._notice = notice
        self._worker.start()

    def close(self) -> None:
        """Stop the worker after what it makes now."""
        with self._changed:
            self._worker.request_stop()
            self._changed.notify()
        self._worker.join(SERVER_STOP_TIMEOUT_S)

    def _work(self) -> None:
        while (entry := self._next()) is not None:
            if not entry.stop.is_set():
                self._make(entry)

    def _next(self) -> TakeEntry | None:
        """Wait for the next wanted take; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._worker.is_stopping)
            return None if self._worker.is_stopping else self._wanted.pop(0)

    def _make(self, entry: TakeEntry) -> None:
        """Make one take; what goes wrong is reported in its entry."""
        try:
            self._generate(entry)
        except StoppedError:
            _fail(entry, Problem(entry.name, "stopped"))
        except UserError as error:
            _fail(entry, *self._named(error).problems)
        except Exception as error:  # noqa: BLE001 - the worker outlives a fault, and reports it
            what = f"an internal error: {type(error).__name__}: {error}"
            self._notice(f"preview, {entry.name}: {what}")
            _fail(entry, Problem(entry.name, what))

    def _generate(self, entry: TakeEntry) -> None:
        recording = entry.recording
        if recording is None:
            raise RuntimeError("a take is generated of a recording")

        def progress(done: float) -> None:
            entry.progress = done

        if _is_silent(recording.sound, entry.stop):
            entry.notice = "; ".join(filter(None, (entry.notice, SILENT_NOTICE)))
        generator = self._loaded()
        check_face_settings(generator, {entry.name: entry.settings})
        entry.take = generate_take(
            generator,
            recording.sound,
            entry.settings,
            slate=entry.name,
            progress=progress,
            stop=entry.stop,
        )
        entry.name = entry.take.name
        entry.progress = 1.0
        entry.state = "ready"

    def _loaded(self) -> Generator:
        from cstalk_bridge.models.errors import WeightsError

        if self._generator is None:
            try:
                self._generator = self._load()
            except (WeightsError, ValueError) as error:
                raise UserError(Problem("weights", str(error))) from None
        return self._generator


def _fail(entry: TakeEntry, *problems: Problem) -> None:
    entry.problems = problems
    entry.state = "failed"


def _is_silent(sound: Sound, stop: threading.Event) -> bool:
    """Whether all samples are below `SILENCE`; reads up to the first that is not."""
    for piece in pieces(sound):
        if stop.is_set():
            raise StoppedError
        if np.abs(piece).max(initial=0.0) >= SILENCE_PEAK:
            return False
    return True

"""What a render is asked for."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bridge.export.formats import FORMATS, ExportSettings, Format, resolved
from bridge.face.alive.levels import AS_MADE, Levels
from bridge.face.emotion import AS_CHOSEN
from bridge.render.jobs import Shard
from bridge.takes.emotions import EmotionCourse
from models.emotions import MOUTH_GUARD
from models.timing import DEFAULT_LOOKAHEAD_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bridge.audio.channel import Channel
    from bridge.face.felt import Shares
    from bridge.render.jobs import Job
    from bridge.rig.rigmap import RigMap

DEFAULT_FORMATS = ("take", "csv")


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """Everything but the inputs and the folder.

    `emotions` hold for a recording without a sidecar; `channel` is that of recordings; `levels`,
    `seed` and `shares` are those of `takes.generate.Settings`. `overwrite` lets files be replaced
    that no render has made; `is_forced` renders again what is finished.
    """

    formats: tuple[Format, ...] = tuple(FORMATS[name] for name in DEFAULT_FORMATS)
    export: ExportSettings = field(default_factory=ExportSettings)
    emotions: EmotionCourse = field(default_factory=EmotionCourse)
    channel: Channel = None
    lookahead_ms: float = DEFAULT_LOOKAHEAD_MS
    mouth_guard: float = MOUTH_GUARD
    levels: Levels = AS_MADE
    seed: int | None = None
    shares: Shares = AS_CHOSEN
    device: str = "auto"
    weights: Path | None = None
    shard: Shard = field(default_factory=Shard)
    overwrite: bool = False
    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class Outlet:
    """One format as it will be written, and a hash of all that shapes its files but the input."""

    form: Format
    export: ExportSettings
    fingerprint: str


def make_outlets(settings: RenderSettings, weights: str) -> tuple[Outlet, ...]:
    """Return an outlet for each format; `weights` tells one network from another.

    UserError for a rig map that is not for a format, and a head that is not there.
    """
    outlets = []
    for form in settings.formats:
        export = resolved(form, settings.export)
        digest = hashlib.sha256()
        for part in _parts(settings, form, export, weights):
            digest.update(part)
        outlets.append(Outlet(form, export, digest.hexdigest()[:16]))
    return tuple(outlets)


def outlets_of(job: Job, outlets: Sequence[Outlet]) -> list[Outlet]:
    """Return the outlets of one job: a take is not written as a take again."""
    return [outlet for outlet in outlets if not (job.is_take and outlet.form.id == "take")]


def _parts(
    settings: RenderSettings, form: Format, export: ExportSettings, weights: str
) -> Iterator[bytes]:
    told = {
        "format": form.id,
        "weights": weights,
        "emotions": [key.model_dump(mode="json") for key in settings.emotions.keys],
        "channel": settings.channel,
        "lookahead_ms": settings.lookahead_ms,
        "mouth_guard": settings.mouth_guard,
        "levels": asdict(settings.levels),
        "seed": settings.seed,
        "shares": asdict(settings.shares),
    }
    yield json.dumps(told, sort_keys=True).encode()
    if export.rigmap is not None and form.rigmap is not None:
        yield f"at {export.rate.name}".encode()
        yield from _rigmap_parts(export.rigmap)
        if form.has_head and export.head is not None:
            yield hashlib.sha256(export.head.read_bytes()).digest()


def _rigmap_parts(rigmap: RigMap) -> Iterator[bytes]:
    """Yield what a map does, as bytes: its names and all of its arrays."""
    yield json.dumps(rigmap.outputs).encode()
    for holder in (rigmap, rigmap.responses, rigmap.smoothing):
        for entry in dataclasses.fields(holder):
            value = getattr(holder, entry.name)
            if isinstance(value, np.ndarray):
                yield f"{entry.name} {value.shape} ".encode() + value.tobytes()

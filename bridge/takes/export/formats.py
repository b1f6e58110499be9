"""The formats a take can be exported to: one table of names, endings, rig maps and writers."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.rig import ARKIT_MAP, ARKIT_TABLE, STOCK_MAP
from cstalk_bridge.takes.file import CURVES_ENDING, SOUND_SUFFIX, safe_name, take_stem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cstalk_bridge.rig.rigmap import RigMap
    from cstalk_bridge.takes.export.tables import ExportConfig
    from cstalk_bridge.takes.take import Take


CHUNK_BYTES: Final = 1 << 20
METAHUMAN: Final = "metahuman"
METAHUMAN_ANIMATION: Final = "metahuman_animation"

CSV_SUBJECT: Final = "CSTalk"
"""In the name of a Live Link Face CSV file, where Unreal's importer looks for the subject. It is
what the live subject is called by default."""


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file.

    `rigmap` names the map which it uses by default, None where it needs none, and `target` what
    any other map must be for, None for all. `subject` is the one that Unreal finds in its name.
    `has_head` is true where the face moves a head, which can be chosen.
    """

    id: str
    label: str
    suffix: str
    media_type: str
    write: Callable[[Take, ExportConfig], Iterator[bytes]]
    rigmap: str | None = ARKIT_MAP
    target: str | None = None
    subject: str | None = None
    has_head: bool = False

    def sound_name(self, slate: str) -> str:
        """Return the name of the WAV file beside an export of a head, "" for other formats."""
        return f"{safe_name(slate)}{SOUND_SUFFIX}" if self.has_head else ""

    def name(self, slate: str, number: int | None = None, subject: str = "") -> str:
        """Return a safe file name, as `speech_1.glb`, or `speech.glb` without a number.

        `subject` is that of a recorded take, for names in which Unreal finds one.
        """
        if self.subject is not None:
            stem = take_stem(slate, number, subject or self.subject) + CURVES_ENDING
        else:
            stem = slate if number is None else f"{slate}_{number}"
        return safe_name(stem) + self.suffix


def export_take(take: Take, format_id: str, settings: ExportConfig) -> Iterator[bytes]:
    """Return the chunks of a take in a format, made as they are taken.

    UserError for a format there is none of and a rig map for another target; the chunks raise it
    too, where a head or a sound cannot be read.
    """
    form = find_format(format_id)
    return form.write(take, resolve_config(form, settings))


def export_name(take: Take, form: Format) -> str:
    """Return a safe file name for a take in a format: slate, number, and what the format adds."""
    return form.name(take.slate, take.number, take.subject)


def find_format(format_id: str) -> Format:
    """Return the format of that id; UserError lists those there are."""
    if format_id not in FORMATS:
        remedy = f"use one of {', '.join(FORMATS)}"
        raise UserError(Problem("format", f"there is no format {format_id!r}", remedy))
    return FORMATS[format_id]


def resolve_config(form: Format, settings: ExportConfig) -> ExportConfig:
    """Return the settings with the rig map which the format will use. Raises UserError."""
    from cstalk_bridge.rig.load import load_rigmap

    if form.rigmap is None:
        return settings
    rigmap = settings.rigmap or load_rigmap(form.rigmap)
    if form.target is not None and rigmap.target != form.target:
        what = f"rig map {rigmap.name!r} is for {rigmap.target}, format {form.id} needs one for"
        remedy = f"leave it out to use {form.rigmap!r}"
        raise UserError(Problem("rigmap", f"{what} {form.target}", remedy))
    return replace(settings, rigmap=rigmap, is_own_map=settings.rigmap is None)


def _rigmap(settings: ExportConfig) -> RigMap:
    if settings.rigmap is None:
        raise ValueError("settings without a rig map; `resolved` gives them one")
    return settings.rigmap


def _take(take: Take, _settings: ExportConfig) -> Iterator[bytes]:
    from cstalk_bridge.takes.file import write_take

    with tempfile.TemporaryFile() as file:
        write_take(take, file)
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _csv(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    from cstalk_bridge.takes.export.tables import write_csv

    rigmap = _rigmap(settings)
    if take.performance is not None and settings.is_own_map:
        # The curves as they were performed, by whatever map.
        rigmap = replace(rigmap, name=take.performance.rigmap)
    return write_csv(take, rigmap, settings.rate)


def _glb(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    from cstalk_bridge.takes.export.heads import write_glb_animation

    return write_glb_animation(take, settings)


def _usd(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    from cstalk_bridge.takes.export.heads import write_usd

    return write_usd(take, settings)


def _usdc(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    from cstalk_bridge.takes.export.heads import write_usdc

    return write_usdc(take, settings)


def _json(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    from cstalk_bridge.takes.export.tables import write_json

    return write_json(take, _rigmap(settings), settings.rate)


def _npz(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    from cstalk_bridge.takes.export.tables import write_npz

    return write_npz(take, _rigmap(settings), settings.rate)


def _metahuman_csv(take: Take, settings: ExportConfig) -> Iterator[bytes]:
    from cstalk_bridge.takes.export.tables import write_metahuman_csv

    return write_metahuman_csv(take, _rigmap(settings), settings.rate)


FORMATS: Final[dict[str, Format]] = {
    form.id: form
    for form in (
        Format("take", "CSTalk take", ".take", "application/zip", _take, rigmap=None),
        Format(
            "csv",
            "Live Link Face CSV",
            ".csv",
            "text/csv",
            _csv,
            rigmap=STOCK_MAP,
            target=ARKIT_TABLE,
            subject=CSV_SUBJECT,
        ),
        Format(
            "glb",
            "GLB animation",
            ".glb",
            "model/gltf-binary",
            _glb,
            target=ARKIT_TABLE,
            has_head=True,
        ),
        Format(
            "usd",
            "USD animation",
            ".usda",
            "model/vnd.usda",
            _usd,
            target=ARKIT_TABLE,
            has_head=True,
        ),
        Format(
            "usdc",
            "USD animation, binary",
            ".usdc",
            "model/vnd.usdc",
            _usdc,
            target=ARKIT_TABLE,
            has_head=True,
        ),
        Format("json", "JSON", ".json", "application/json", _json),
        Format("npz", "NumPy arrays", ".npz", "application/zip", _npz),
        Format(
            "metahuman-csv",
            "MetaHuman raw curves, CSV",
            ".metahuman.csv",
            "text/csv",
            _metahuman_csv,
            rigmap=METAHUMAN_ANIMATION,
            target=METAHUMAN,
        ),
        Format(
            "metahuman-json",
            "MetaHuman raw curves, JSON",
            ".metahuman.json",
            "application/json",
            _json,
            rigmap=METAHUMAN_ANIMATION,
            target=METAHUMAN,
        ),
    )
}
"""Every format, by its id."""

"""Takes as files for other programs."""

from __future__ import annotations

from bridge.export.formats import (
    FORMATS,
    ExportSettings,
    Format,
    export_name,
    export_take,
    find_format,
)

__all__ = ["FORMATS", "ExportSettings", "Format", "export_name", "export_take", "find_format"]

"""The files of the page, which are read once from the installed package."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import Response

from bridge.preview.refusal import NOT_FOUND, refusal

if TYPE_CHECKING:
    from starlette.requests import Request

FOLDER = Path(__file__).resolve().parent / "page"
INDEX = "index.html"

MEDIA_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css"}
"""Windows tells others for these, as its registry has them."""

PACKED = ("text/", "application/json", "image/svg")
"""Beginnings of media types worth packing."""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, as it is and packed by gzip."""

    content: bytes
    packed: bytes | None
    media_type: str
    etag: str

    def response(self, request: Request) -> Response:
        """Return the answer to a request, without content where the browser has it already."""
        headers = {"etag": self.etag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        if self.packed and "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(self.packed, headers=headers, media_type=self.media_type)
        return Response(self.content, headers=headers, media_type=self.media_type)


class Page:
    """The files of a folder by their paths in it; there are no others, whatever is asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    async def index(self, request: Request) -> Response:
        """Serve the page itself."""
        return self._file(INDEX).response(request)

    async def file(self, request: Request) -> Response:
        """Serve one of its files."""
        return self._file(request.path_params["path"]).response(request)

    def _file(self, path: str) -> PageFile:
        if path not in self._files:
            raise refusal(NOT_FOUND, "page", f"there is no {path[:80]!r}")
        return self._files[path]


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    guessed = MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    media_type = guessed or "application/octet-stream"
    packed = gzip.compress(content, 6) if media_type.startswith(PACKED) else None
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return PageFile(content, packed, media_type, etag)

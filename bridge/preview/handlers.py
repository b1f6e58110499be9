"""Request handlers of the session's recordings and takes.

Handlers that read files or compute do so in a thread, so that the loop keeps serving live frames.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from anyio.to_thread import run_sync
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from cstalk_bridge.preview.recordings import (
    BAD_REQUEST,
    CONFLICT,
    FLAC_MEDIA_TYPE,
    TakeRequest,
    flac_of,
    http_error,
    label_of,
    read_body,
    read_count,
    read_document,
    read_number,
    suffix_of,
)
from cstalk_bridge.preview.session import GLB_MEDIA_TYPE
from cstalk_bridge.preview.takes import CurveStore
from cstalk_bridge.rig import ARKIT_MAP
from cstalk_bridge.takes.sound import spectrogram_levels, waveform_extrema
from cstalk_bridge.timecode.smpte import DEFAULT_RATE, parse_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from cstalk_bridge.preview.recordings import Recording
    from cstalk_bridge.preview.session import Session


OCTETS = "application/octet-stream"
NO_STORE = {"cache-control": "no-store"}
"""What is made anew at every start is not kept by browsers."""
REVALIDATE = {"cache-control": "no-cache"}
"""For what may be cached if it is revalidated."""


class SessionHandlers:
    """The answers of one session."""

    def __init__(self, session: Session) -> None:
        self._library = session.library
        self._session = session
        self._curves = CurveStore()

    async def session(self, _request: Request) -> Response:
        """What there is to choose from."""
        return JSONResponse(await run_sync(self._session.described), headers=NO_STORE)

    async def live_counters(self, _request: Request) -> Response:
        """How many clients watch, and what they took and lost."""
        hub = self._session.hub
        return JSONResponse(hub.counters if hub else {}, headers=NO_STORE)

    async def add_recording(self, request: Request) -> Response:
        """Take a file."""
        name = request.query_params.get("name", "")
        length = request.headers.get("content-length", "")
        expected = int(length) if length.isdecimal() else 0
        stored = await self._library.recordings.store(read_body(request), label_of(name), expected)
        path = stored.with_suffix(suffix_of(name))
        stored.rename(path)
        recording, entry = await run_sync(partial(self._library.open, path, name, is_ours=True))
        held = entry or recording
        answer = {
            "recording": recording.id if recording else None,
            "take": entry.info() if entry else None,
            "name": held.name if held else "",
            "duration_s": held.duration_s if held else 0.0,
        }
        return JSONResponse(answer, 201)

    async def add_take(self, request: Request) -> Response:
        """Begin a take."""
        wanted = await read_document(request, TakeRequest)
        defaults = self._library.defaults
        settings = replace(defaults, levels=wanted.levels or defaults.levels, **wanted.numbers)
        entry = self._library.generate(wanted.recording, settings.with_emotion(wanted.emotion))
        return JSONResponse(entry.info(), 202)

    async def take(self, request: Request) -> Response:
        """Describe a take."""
        entry = self._library.takes.get(request.path_params["id"])
        return JSONResponse(entry.info(), headers=NO_STORE)

    async def drop_take(self, request: Request) -> Response:
        """Forget a take."""
        self._library.takes.drop(request.path_params["id"])
        return Response(status_code=204)

    async def curves(self, request: Request) -> Response:
        """Give what a rig map makes of a take, int16 [rows, curves]."""
        _, take = self._library.takes.ready(request.path_params["id"])
        name = request.query_params.get("rigmap", ARKIT_MAP)
        rigmap = await run_sync(self._session.rigmaps.get, name)
        size = 2 * take.rows * len(rigmap.outputs)
        headers = {
            "x-rows": str(take.rows),
            "x-curves": str(len(rigmap.outputs)),
            "x-rate-hz": f"{take.rate.hz:.10g}",
            "content-length": str(size),
        }
        blocks = self._curves.blocks(take, rigmap)
        return StreamingResponse(blocks, headers={**headers, **NO_STORE}, media_type=OCTETS)

    async def sound(self, request: Request) -> Response:
        """Give the sound of a take, or a part of it."""
        recording = self._recording(request)
        folder = self._library.recordings.folder
        path = await run_sync(flac_of, recording, folder)
        return FileResponse(path, headers=REVALIDATE, media_type=FLAC_MEDIA_TYPE)

    async def waveform(self, request: Request) -> Response:
        """Give a waveform, int8 [columns, 2]."""
        sound, columns = self._recording(request).sound, read_count(request, "columns")
        start_s, end_s = read_number(request, "start_s"), read_number(request, "end_s")
        return await _drawn(lambda: waveform_extrema(sound, start_s, end_s, columns).tobytes())

    async def spectrogram(self, request: Request) -> Response:
        """Give a spectrogram, uint8 [bands, columns]."""
        sound, columns = self._recording(request).sound, read_count(request, "columns")
        start_s, end_s = read_number(request, "start_s"), read_number(request, "end_s")
        bands = read_count(request, "bands")
        return await _drawn(
            lambda: spectrogram_levels(sound, start_s, end_s, columns, bands).tobytes()
        )

    async def export(self, request: Request) -> Response:
        """Give a take as a file for another program."""
        from cstalk_bridge.takes.export.formats import export_name, export_take, find_format
        from cstalk_bridge.takes.export.tables import ExportConfig

        query = request.query_params
        _, take = self._library.takes.ready(request.path_params["id"])
        form = find_format(query.get("format", "take"))
        rigmap = head = None
        if "rigmap" in query:
            rigmap = await run_sync(self._session.rigmaps.get, query["rigmap"])
        if "head" in query:
            head = self._session.heads.path(query["head"])
        rate = parse_rate(query["rate"]) if "rate" in query else DEFAULT_RATE
        sound_name = ""
        if form.has_head and take.sound is not None:
            sound_name = form.sound_name(take.name)
        settings = ExportConfig(rate, rigmap, head, sound_name=sound_name)
        chunks = await run_sync(export_take, take, form.id, settings)
        first = await run_sync(next, chunks, b"")
        headers = {"content-disposition": _attachment(export_name(take, form)), **NO_STORE}
        return StreamingResponse(
            _chained(first, chunks), headers=headers, media_type=form.media_type
        )

    async def wave(self, request: Request) -> Response:
        """Give the sound of a take as the file that belongs beside its exports."""
        from cstalk_bridge.takes.file import SOUND_SUFFIX, safe_name
        from cstalk_bridge.takes.recording.files import MAX_WAVE_BYTES
        from cstalk_bridge.takes.render.sound_file import wave_bytes, wave_chunks

        entry, take = self._library.takes.ready(request.path_params["id"])
        sound = take.sound
        if sound is None or (size := wave_bytes(sound)) > MAX_WAVE_BYTES:
            what = "the take has no sound" if sound is None else "its sound is too long for a WAV"
            raise http_error(CONFLICT, entry.name, what)
        headers = {
            "content-disposition": _attachment(f"{safe_name(take.name)}{SOUND_SUFFIX}"),
            "content-length": str(size),
            **NO_STORE,
        }
        return StreamingResponse(wave_chunks(sound), headers=headers, media_type="audio/wav")

    async def head(self, request: Request) -> Response:
        """Give the file of a head."""
        path = self._session.heads.path(request.path_params["id"])
        return FileResponse(path, headers=REVALIDATE, media_type=GLB_MEDIA_TYPE)

    def _recording(self, request: Request) -> Recording:
        entry = self._library.takes.get(request.path_params["id"])
        if entry.recording is None:
            raise http_error(CONFLICT, entry.name, "the take has no sound")
        return entry.recording


async def _drawn(draw: Callable[[], bytes]) -> Response:
    try:
        picture = await run_sync(draw)
    except ValueError as error:
        raise http_error(BAD_REQUEST, "picture", str(error)) from None
    return Response(picture, headers=NO_STORE, media_type=OCTETS)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _attachment(name: str) -> str:
    """Return a Content-Disposition (RFC 6266) that gives the file its name, whatever its script."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"

"""What a session answers: the requests of the page, one function each.

Whatever reads files or computes does so in a thread, so that the loop goes on serving live frames.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from anyio.to_thread import run_sync
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from bridge.clock.rate import FRAME_RATES, parse_rate
from bridge.preview import heads, sound
from bridge.preview.asking import TakeWish, body_of, count_of, document_of, number_of
from bridge.preview.recordings import label_of, suffix_of
from bridge.preview.refusal import BAD_REQUEST, CONFLICT, refusal
from bridge.preview.rigmaps import CurveStore
from bridge.rig.tables import ARKIT_MAP
from bridge.takes import drawing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from bridge.preview.recordings import Recording
    from bridge.preview.session import Session

OCTETS = "application/octet-stream"
NOT_KEPT = {"cache-control": "no-store"}
"""What is made anew at every start is not kept by browsers."""
ASKED_AGAIN = {"cache-control": "no-cache"}
"""What may be kept, as long as it is asked whether it is still the same."""


class Answers:
    """The answers of one session."""

    def __init__(self, session: Session) -> None:
        self._studio = session.studio
        self._session = session
        self._curves = CurveStore()

    async def session(self, _request: Request) -> Response:
        """What there is to choose from."""
        return JSONResponse(await run_sync(self._session.described), headers=NOT_KEPT)

    async def live_counters(self, _request: Request) -> Response:
        """How many clients watch, and what they took and lost."""
        hub = self._session.hub
        return JSONResponse(hub.counters if hub else {}, headers=NOT_KEPT)

    async def add_recording(self, request: Request) -> Response:
        """Take a file."""
        name = request.query_params.get("name", "")
        length = request.headers.get("content-length", "")
        expected = int(length) if length.isdecimal() else 0
        stored = await self._studio.recordings.store(body_of(request), label_of(name), expected)
        path = stored.with_suffix(suffix_of(name))
        stored.rename(path)
        recording, entry = await run_sync(partial(self._studio.open, path, name, is_ours=True))
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
        wish = await document_of(request, TakeWish)
        usual = self._studio.usual
        settings = replace(
            usual,
            lookahead_ms=wish.lookahead_ms,
            mouth_guard=wish.mouth_guard,
            levels=wish.levels or usual.levels,
        )
        entry = self._studio.generate(wish.recording, settings.feeling(wish.emotion))
        return JSONResponse(entry.info(), 202)

    async def take(self, request: Request) -> Response:
        """Tell what is known of a take."""
        entry = self._studio.takes.get(request.path_params["id"])
        return JSONResponse(entry.info(), headers=NOT_KEPT)

    async def drop_take(self, request: Request) -> Response:
        """Forget a take."""
        self._studio.takes.drop(request.path_params["id"])
        return Response(status_code=204)

    async def curves(self, request: Request) -> Response:
        """Give what a rig map makes of a take, int16 [rows, curves]."""
        _, take = self._studio.takes.ready(request.path_params["id"])
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
        return StreamingResponse(blocks, headers={**headers, **NOT_KEPT}, media_type=OCTETS)

    async def sound(self, request: Request) -> Response:
        """Give the sound of a take, or a part of it."""
        recording = self._recording(request)
        folder = self._studio.recordings.folder
        path = await run_sync(sound.flac_of, recording, folder)
        return FileResponse(path, headers=ASKED_AGAIN, media_type=sound.MEDIA_TYPE)

    async def waveform(self, request: Request) -> Response:
        """Give a waveform, int8 [columns, 2]."""
        heard, columns = self._recording(request).sound, count_of(request, "columns")
        start_s, end_s = number_of(request, "start_s"), number_of(request, "end_s")
        return await _drawn(lambda: drawing.waveform(heard, start_s, end_s, columns).tobytes())

    async def spectrogram(self, request: Request) -> Response:
        """Give a spectrogram, uint8 [bands, columns]."""
        heard, columns = self._recording(request).sound, count_of(request, "columns")
        start_s, end_s = number_of(request, "start_s"), number_of(request, "end_s")
        bands = count_of(request, "bands")
        return await _drawn(
            lambda: drawing.spectrogram(heard, start_s, end_s, columns, bands).tobytes()
        )

    async def export(self, request: Request) -> Response:
        """Give a take as a file for another program."""
        from bridge.export import ExportSettings, export_name, export_take, find_format

        asked = request.query_params
        _, take = self._studio.takes.ready(request.path_params["id"])
        form = find_format(asked.get("format", "take"))
        rigmap = head = None
        if "rigmap" in asked:
            rigmap = await run_sync(self._session.rigmaps.get, asked["rigmap"])
        if "head" in asked:
            head = self._session.heads.path(asked["head"])
        rate = parse_rate(asked["rate"]) if "rate" in asked else FRAME_RATES["60"]
        settings = ExportSettings(rate, rigmap, head)
        chunks = await run_sync(export_take, take, form.id, settings)
        first = await run_sync(next, chunks, b"")
        headers = {"content-disposition": _attachment(export_name(take, form)), **NOT_KEPT}
        return StreamingResponse(
            _chained(first, chunks), headers=headers, media_type=form.media_type
        )

    async def head(self, request: Request) -> Response:
        """Give the file of a head."""
        path = self._session.heads.path(request.path_params["id"])
        return FileResponse(path, headers=ASKED_AGAIN, media_type=heads.MEDIA_TYPE)

    def _recording(self, request: Request) -> Recording:
        entry = self._studio.takes.get(request.path_params["id"])
        if entry.recording is None:
            raise refusal(CONFLICT, entry.name, "the take has no sound")
        return entry.recording


async def _drawn(draw: Callable[[], bytes]) -> Response:
    try:
        picture = await run_sync(draw)
    except ValueError as error:
        raise refusal(BAD_REQUEST, "picture", str(error)) from None
    return Response(picture, headers=NOT_KEPT, media_type=OCTETS)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _attachment(name: str) -> str:
    """Return a Content-Disposition (RFC 6266) that gives the file its name, whatever its script."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"

"""The WebSocket of the live page: names once, then frames as long as the client takes them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.preview.hub import Client, Hub

GOING_AWAY, POLICY_VIOLATION, TRY_AGAIN_LATER = 1001, 1008, 1013
"""Reasons for which a server closes, of RFC 6455 section 7.4.1 and the IANA registry."""


def live_endpoint(hub: Hub | None) -> Callable[[WebSocket], Awaitable[None]]:
    """Return the endpoint of a hub; without one, no daemon runs and every client is sent away."""

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        if hub is None:
            await socket.close(GOING_AWAY, "no daemon runs here")
            return
        with hub.joined() as client:
            if client is None:
                await socket.close(TRY_AGAIN_LATER, "too many clients")
                return
            await socket.send_json(
                {
                    "subjects": [{"name": name} for name in hub.subjects],
                    "curves": hub.curves,
                    "rate_hz": hub.rate_hz,
                }
            )
            await _show(socket, client)

    return live


async def _show(socket: WebSocket, client: Client) -> None:
    """Send frames until the client leaves, or says anything: it has nothing to say."""
    sending = asyncio.create_task(_send(socket, client))
    try:
        message = await socket.receive()
        if message["type"] == "websocket.receive":
            sending.cancel()
            await socket.close(POLICY_VIOLATION, "this socket takes no messages")
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send(socket: WebSocket, client: Client) -> None:
    try:
        while True:
            await socket.send_bytes(await client.next())
    except (WebSocketDisconnect, RuntimeError):
        # It left while a frame was on its way; `receive` says so as well.
        return

"""Health of a running bridge for machines: `/health` as JSON, `/metrics` for Prometheus.

Other pages may read `/health` alone (Fetch standard, section 3.2, "CORS protocol"): of a server
without a token, which this machine alone can reach, the pages of this machine; of one with a token
every page that shows it. No other path allows it, and no method but GET.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cstalk_bridge.models.errors import UserError
from cstalk_bridge.monitor.exposition import (
    HEALTHY,
    UNHEALTHY,
    exposition,
    health_document,
    stopped_document,
)
from cstalk_bridge.system.addresses import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from cstalk_bridge.config.schema import PreviewConfig
    from cstalk_bridge.control.controller import Controller
    from cstalk_bridge.monitor.metrics import Metrics

Made = TypeVar("Made")


HEALTH_PATH, METRICS_PATH = "/health", "/metrics"
MACHINE_PATHS = (HEALTH_PATH, METRICS_PATH)
"""Paths that also accept the token as `?token=` or as `Authorization: Bearer`."""

KEPT_S = 0.25
"""Time for which an answer is given again: who asks more often costs the face nothing. The metrics
of 16 subjects take 8 ms of a core."""

NO_STORE = {"cache-control": "no-store"}


class HealthHandlers:
    """Handlers of the health of the run of a controller; `spec` is the address of the server."""

    def __init__(self, controller: Controller, spec: PreviewConfig) -> None:
        # Before the run: importing it later would occupy the interpreter while frames are due.
        import prometheus_client  # noqa: F401

        self._controller = controller
        self._spec = spec
        self._made: dict[str, tuple[float, Any]] = {}

    @property
    def routes(self) -> list[Route]:
        """The routes of both."""
        return [
            Route(HEALTH_PATH, self.health, methods=["GET"]),
            Route(METRICS_PATH, self.metrics, methods=["GET"]),
        ]

    async def health(self, request: Request) -> Response:
        """Return the health, with status 503 where something is at fault."""
        document = self._read(HEALTH_PATH, health_document) or stopped_document()
        status = HEALTHY if document["is_healthy"] else UNHEALTHY
        return JSONResponse(document, status, {**NO_STORE, **self._sharing(request)})

    async def metrics(self, _request: Request) -> Response:
        """Return the metrics in Prometheus's text format."""
        found = self._read(METRICS_PATH, exposition)
        if found is None:
            return Response("no bridge is running\n", UNHEALTHY, NO_STORE)
        text, media_type = found
        return Response(text, HEALTHY, NO_STORE, media_type)

    def _read(self, path: str, make: Callable[[Metrics, float], Made]) -> Made | None:
        """Return what is made of the metrics of the run, at most `KEPT_S` old; None without one."""
        try:
            metrics, now_s = self._controller.metrics, self._controller.now()
        except UserError:
            return None
        if metrics is None:
            return None
        made_s, kept = self._made.get(path, (-math.inf, None))
        made: Made = make(metrics, now_s) if now_s - made_s >= KEPT_S else kept
        if made is not kept:
            self._made[path] = now_s, made
        return made

    def _sharing(self, request: Request) -> dict[str, str]:
        """Return the headers that let another page read the answer, or not."""
        origin = request.headers.get("origin")
        headers = {"vary": "origin"}
        if origin is None:
            return headers
        is_shown = "token" in request.query_params or "authorization" in request.headers
        may_read = _is_of_this_machine(origin) if self._spec.token is None else is_shown
        return {**headers, "access-control-allow-origin": origin} if may_read else headers


def _is_of_this_machine(origin: str) -> bool:
    try:
        host = urlsplit(origin).hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)

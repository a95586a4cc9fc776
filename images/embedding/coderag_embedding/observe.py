"""One log line and two metrics per request. Never a header, a body or a query string: those hold keys and code."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coderag_embedding.metrics import Metrics

log = logging.getLogger("coderag_embedding.access")
PROBES = {"/healthz", "/readyz", "/health", "/metrics"}
ROUTES = PROBES | {"/v1/embeddings", "/v1/models", "/model/status", "/model/reload"}


class Observe:
    """ASGI middleware; unknown paths count as one route, so that a scan cannot grow the metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def note(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope["path"] if scope["path"] in ROUTES else "other"
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        level = logging.DEBUG if route in PROBES else logging.INFO
        fields = {"method": scope["method"], "route": route, "status": status, "duration_ms": round(seconds * 1000, 1)}
        log.log(level, "request", extra=fields)

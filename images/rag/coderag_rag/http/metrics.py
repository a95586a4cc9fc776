"""Prometheus metrics of an HTTP service.

Each application has a registry of its own, so that two in one process (tests) do not collide. Labels are route
templates: a raw path would let any caller create time series.
"""

import time

from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def _route_of(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


class RequestMetrics:
    """ASGI middleware that counts requests and measures how long they took."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        labels = ["method", "route", "status"]
        self._count = Counter("coderag_http_requests", "HTTP requests", labels, registry=registry)
        self._seconds = Histogram(
            "coderag_http_request_seconds", "Duration of HTTP requests", ["route"], registry=registry
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.monotonic(), "500"

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            self._count.labels(scope["method"], _route_of(scope), status).inc()
            self._seconds.labels(_route_of(scope)).observe(time.monotonic() - begin)


def install_metrics(app: FastAPI, registry: CollectorRegistry) -> None:
    """Count every request and serve the registry under /metrics."""
    app.add_middleware(RequestMetrics, registry=registry)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

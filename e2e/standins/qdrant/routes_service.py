"""Routes about the server itself, and the plain refusal of everything that is not served."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse

from e2e.standins.qdrant.errors import not_served
from e2e.standins.qdrant.replies import enveloped
from e2e.standins.qdrant.routes_collections import catalog_of

VERSION = "1.18.3"  # of the server image in the chart; a client compares it with its own
router = APIRouter()
rest = APIRouter()


@router.get("/")
def root() -> dict[str, str]:
    """Name the version, which a client reads first."""
    return {"title": "qdrant - vector search engine", "version": VERSION, "commit": "stand-in on the edge engine"}


@router.get("/healthz")
@router.get("/livez")
@router.get("/readyz")
def health(request: Request) -> PlainTextResponse:
    """Answer as soon as the collections are open."""
    return PlainTextResponse(f"{request.url.path[1:]} check passed")


@router.get("/telemetry")
@enveloped
def telemetry(request: Request) -> dict[str, Any]:
    """Report the least that a client could want."""
    number = len(catalog_of(request).names())
    app = {"name": "qdrant", "version": VERSION}
    return {"id": "stand-in", "app": app, "collections": {"number_of_collections": number}}


@router.get("/metrics")
def metrics(request: Request) -> PlainTextResponse:
    """Report points by collection in Prometheus' format, under the real server's names."""
    catalog = catalog_of(request)
    names = catalog.names()
    lines = [f'app_info{{name="qdrant",version="{VERSION}"}} 1', f"collections_total {len(names)}"]
    for name in names:
        lines.append(f'collection_points{{id="{name}"}} {catalog.call(name, "count", {})["count"]}')
    return PlainTextResponse("\n".join(lines) + "\n")


@rest.api_route("/{path:path}", methods=["GET", "PUT", "POST", "PATCH", "DELETE"])
def anything_else(request: Request, path: str) -> None:
    """Say plainly that a route, such as snapshots, is missing here."""
    raise not_served(f"{request.method} /{path}")

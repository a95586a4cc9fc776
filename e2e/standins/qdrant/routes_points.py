"""Routes of points: writes, reads and queries. Bodies are checked by the client's own generated models."""

import asyncio
import itertools
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from qdrant_client.http import models

from e2e.standins.qdrant.errors import not_found, wrong_input
from e2e.standins.qdrant.replies import enveloped
from e2e.standins.qdrant.routes_collections import Json, catalog_of, dump

router = APIRouter(prefix="/collections/{name}")
operation_ids = itertools.count()


async def read_points(request: Request, name: str, method: str, model: type[BaseModel]) -> bytes:
    """Run what every search asks for, its body as it came where the engine can read it: a check costs half as much."""
    raw, catalog = await request.body(), catalog_of(request)
    found = await asyncio.wrap_future(catalog.submit(name, f"{method}_raw", raw))
    return bytes(found or await asyncio.wrap_future(catalog.submit(name, f"{method}_bytes", check(raw, model))))


def check(raw: bytes, model: type[BaseModel]) -> Json:
    """Return a body checked by a model, or refuse it as a checked parameter would be."""
    try:
        return dump(model.model_validate_json(raw))
    except ValidationError as error:
        found = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from error


def apply(request: Request, name: str, operations: list[tuple[str, Any]], wait: bool) -> list[Json]:
    """Apply named changes; they are always finished when the answer leaves, whatever `wait` says."""
    catalog_of(request).call(name, "update", operations)
    status = "completed" if wait else "acknowledged"
    return [{"operation_id": next(operation_ids), "status": status} for _ in operations]


@router.put("/points")
@enveloped
def upsert(request: Request, name: str, body: models.PointInsertOperations, wait: bool = False) -> Json:
    """Insert or replace points."""
    return apply(request, name, [("upsert", dump(body))], wait)[0]


@router.post("/points/delete")
@enveloped
def delete(request: Request, name: str, body: models.PointsSelector, wait: bool = False) -> Json:
    """Delete points by id or by filter."""
    return apply(request, name, [("delete", dump(body))], wait)[0]


@router.post("/points/payload")
@enveloped
def set_payload(request: Request, name: str, body: models.SetPayload, wait: bool = False) -> Json:
    """Merge keys into payloads."""
    return apply(request, name, [("set_payload", dump(body))], wait)[0]


@router.put("/points/payload")
@enveloped
def overwrite_payload(request: Request, name: str, body: models.SetPayload, wait: bool = False) -> Json:
    """Replace payloads."""
    return apply(request, name, [("overwrite_payload", dump(body))], wait)[0]


@router.post("/points/payload/delete")
@enveloped
def delete_payload(request: Request, name: str, body: models.DeletePayload, wait: bool = False) -> Json:
    """Remove payload keys."""
    return apply(request, name, [("delete_payload", dump(body))], wait)[0]


@router.post("/points/payload/clear")
@enveloped
def clear_payload(request: Request, name: str, body: models.PointsSelector, wait: bool = False) -> Json:
    """Remove all payload of points."""
    return apply(request, name, [("clear_payload", dump(body))], wait)[0]


@router.put("/points/vectors")
@enveloped
def update_vectors(request: Request, name: str, body: models.UpdateVectors, wait: bool = False) -> Json:
    """Replace vectors of stored points."""
    return apply(request, name, [("update_vectors", dump(body))], wait)[0]


@router.post("/points/vectors/delete")
@enveloped
def delete_vectors(request: Request, name: str, body: models.DeleteVectors, wait: bool = False) -> Json:
    """Remove named vectors of points."""
    return apply(request, name, [("delete_vectors", dump(body))], wait)[0]


@router.post("/points/batch")
@enveloped
def batch(request: Request, name: str, body: models.UpdateOperations, wait: bool = False) -> list[Json]:
    """Apply several changes in order."""
    operations = [next(iter(operation.items())) for operation in dump(body)["operations"]]
    return apply(request, name, operations, wait)


@router.get("/points/{point}")
@enveloped
def get_point(request: Request, name: str, point: str) -> Json:
    """Return one point."""
    found = catalog_of(request).call(name, "retrieve", [int(point) if point.isdigit() else point], True, True)
    if not found:
        raise not_found(f"Point with id {point} does not exists!")
    return dict(found[0])


@router.post("/points")
@enveloped
async def retrieve(request: Request, name: str) -> bytes:
    """Return points by id."""
    return await read_points(request, name, "retrieve", models.PointRequest)


@router.post("/points/scroll")
@enveloped
def scroll(request: Request, name: str, body: models.ScrollRequest) -> Json:
    """Return a page of points."""
    given = dump(body)
    if given.get("limit") == 0:
        raise wrong_input("limit must be at least 1")
    return dict(catalog_of(request).call(name, "scroll", given))


@router.post("/points/count")
@enveloped
def count(request: Request, name: str, body: models.CountRequest) -> Json:
    """Count points."""
    return dict(catalog_of(request).call(name, "count", dump(body)))


@router.post("/facet")
@enveloped
def facet(request: Request, name: str, body: models.FacetRequest) -> Json:
    """Count the values of a payload field."""
    return dict(catalog_of(request).call(name, "facet", dump(body)))


@router.post("/points/query")
@enveloped
def query(request: Request, name: str, body: models.QueryRequest) -> bytes:
    """Run one query."""
    return bytes(catalog_of(request).call(name, "query_bytes", dump(body)))


@router.post("/points/query/batch")
@enveloped
async def query_batch(request: Request, name: str) -> bytes:
    """Run several queries."""
    return await read_points(request, name, "query_batch", models.QueryRequestBatch)

"""Points, vectors and payload selections, both ways between JSON and the engine's objects."""

from typing import Any

import qdrant_edge as edge

Json = dict[str, Any]


def build_named_vector(value: Any) -> Any:
    """Return a dense vector as it is and a sparse one as the engine's object."""
    return edge.SparseVector(value["indices"], value["values"]) if isinstance(value, dict) else value


def build_vectors(value: Any) -> Any:
    """Return the vectors of a point: a list for the unnamed one, a dict by name, empty for a point without any."""
    if isinstance(value, dict):
        return {name: build_named_vector(vector) for name, vector in value.items()}
    return value if value is not None else {}


def build_points(body: Json) -> list[edge.Point]:
    """Return the points of an upsert, given as a list of points or as columns (`batch`)."""
    records = split_columns(body["batch"]) if body.get("batch") else body["points"]
    return [edge.Point(item["id"], build_vectors(item.get("vector")), item.get("payload") or {}) for item in records]


def split_columns(batch: Json) -> list[Json]:
    """Return one record per id of a column-wise batch."""
    ids = batch["ids"]
    vectors = batch["vectors"]
    if isinstance(vectors, dict):
        vectors = [{name: column[row] for name, column in vectors.items()} for row in range(len(ids))]
    payloads = batch.get("payloads") or [None] * len(ids)
    return [{"id": i, "vector": v, "payload": p} for i, v, p in zip(ids, vectors, payloads, strict=True)]


def build_payload_selector(value: Any) -> Any:
    """Return which payload keys to read."""
    if isinstance(value, dict):
        kind = edge.PayloadSelector.Include if value.get("include") is not None else edge.PayloadSelector.Exclude
        return kind(value.get("include") or value.get("exclude") or [])
    return value


def read_vector(value: Any) -> Any:
    """Return a vector of the engine as JSON."""
    if isinstance(value, edge.SparseVector):
        return {"indices": list(value.indices), "values": list(value.values)}
    if isinstance(value, dict):
        return {name: read_vector(vector) for name, vector in value.items()}
    return value


def read_id(value: Any) -> int | str | None:
    """Return a point id as JSON: a number or the text of a UUID."""
    return value if value is None or isinstance(value, int) else str(value)


def read_record(record: Any) -> Json:
    """Return a stored point as JSON."""
    found: Json = {"id": read_id(record.id), "payload": record.payload, "vector": read_vector(record.vector)}
    if record.order_value is not None:
        found["order_value"] = record.order_value
    return found


def read_hit(hit: Any) -> Json:
    """Return a scored point as JSON."""
    return {**read_record(hit), "version": hit.version, "score": hit.score}

"""Collection settings: what was asked for, what the engine is built with, what `GET /collections/{name}` reports."""

from typing import Any

import qdrant_edge as edge

Json = dict[str, Any]
DISTANCES = {
    "Cosine": edge.Distance.Cosine,
    "Euclid": edge.Distance.Euclid,
    "Dot": edge.Distance.Dot,
    "Manhattan": edge.Distance.Manhattan,
}
HNSW = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0, "on_disk": False}
OPTIMIZERS = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "indexing_threshold": 10000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
}
WAL = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
INDEX_KINDS = {
    "keyword": (edge.PayloadSchemaType.Keyword, edge.KeywordIndexParams),
    "integer": (edge.PayloadSchemaType.Integer, edge.IntegerIndexParams),
    "float": (edge.PayloadSchemaType.Float, edge.FloatIndexParams),
    "geo": (edge.PayloadSchemaType.Geo, edge.GeoIndexParams),
    "bool": (edge.PayloadSchemaType.Bool, edge.BoolIndexParams),
    "datetime": (edge.PayloadSchemaType.Datetime, edge.DatetimeIndexParams),
    "uuid": (edge.PayloadSchemaType.Uuid, edge.UuidIndexParams),
    "text": (edge.PayloadSchemaType.Text, None),
}


def build_config(settings: Json) -> edge.EdgeConfig:
    """Return the engine's configuration of a collection."""
    vectors = settings.get("vectors") or {}
    named = {"": vectors} if "size" in vectors else vectors
    sparse = settings.get("sparse_vectors") or {}
    return edge.EdgeConfig(
        vectors={name: edge.EdgeVectorParams(v["size"], DISTANCES[v["distance"]]) for name, v in named.items()},
        sparse_vectors={name: build_sparse(params or {}) for name, params in sparse.items()},
    )


def build_sparse(params: Json) -> edge.EdgeSparseVectorParams:
    """Return the settings of a sparse vector, with IDF counted in the engine where it is asked for."""
    return edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if params.get("modifier") == "idf" else None)


def build_index(schema: Any) -> Any:
    """Return a payload index as the engine wants it: a kind, or a kind with its parameters."""
    body = {"type": schema} if isinstance(schema, str) else dict(schema)
    kind, parameters = INDEX_KINDS[body.pop("type")]
    given = {key: value for key, value in body.items() if value is not None}
    return parameters(**given) if given and parameters else kind


def describe(settings: Json, counts: Json, schema: Json) -> Json:
    """Return the collection as Qdrant reports it."""
    params = {"vectors": settings.get("vectors") or {}, "shard_number": 1, "replication_factor": 1}
    params |= {"write_consistency_factor": 1, "on_disk_payload": True}
    if settings.get("sparse_vectors"):
        params["sparse_vectors"] = settings["sparse_vectors"]
    config = {
        "params": params,
        "hnsw_config": HNSW | drop_unset(settings.get("hnsw_config")),
        "optimizer_config": OPTIMIZERS | drop_unset(settings.get("optimizers_config")),
        "wal_config": WAL,
        "quantization_config": None,
    }
    if settings.get("metadata") is not None:
        config["metadata"] = settings["metadata"]
    return {"status": "green", "optimizer_status": "ok", **counts, "config": config, "payload_schema": schema}


def drop_unset(body: Json | None) -> Json:
    """Return what was really given."""
    return {key: value for key, value in (body or {}).items() if value is not None}

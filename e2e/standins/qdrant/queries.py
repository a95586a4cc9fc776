"""The query language: nearest, fusion, ordering and their prefetches, from JSON to the engine's objects."""

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from e2e.standins.qdrant.errors import not_served, wrong_input
from e2e.standins.qdrant.filters import build_filter
from e2e.standins.qdrant.points import build_named_vector, build_payload_selector

Json = dict[str, Any]
FindVector = Callable[[Any, str | None], Any]
DEFAULT_RRF_K = 2  # the server's own default, not the 60 of the literature
DEFAULT_LIMIT = 10


def build_request(body: Json, find_vector: FindVector) -> edge.QueryRequest:
    """Return a whole query; `find_vector` reads the vector of a point that is asked about by its id."""
    return edge.QueryRequest(
        limit=read_limit(body),
        offset=body.get("offset"),
        with_vector=body.get("with_vector") or False,
        with_payload=build_payload_selector(body.get("with_payload") or False),
        **build_stage(body, find_vector),
    )


def build_prefetch(body: Json, find_vector: FindVector) -> edge.Prefetch:
    """Return one leg of a query."""
    return edge.Prefetch(limit=read_limit(body), **build_stage(body, find_vector))


def build_stage(body: Json, find_vector: FindVector) -> Json:
    """Return what a query and a prefetch have in common."""
    legs = body.get("prefetch") or []
    legs = legs if isinstance(legs, list) else [legs]
    query = body.get("query")
    check_weights(query, len(legs))
    return {
        "prefetches": [build_prefetch(leg, find_vector) for leg in legs],
        "query": build_query(query, body.get("using"), find_vector),
        "filter": build_filter(without_itself(body.get("filter"), query)),
        "score_threshold": body.get("score_threshold"),
        "params": build_params(body.get("params")),
    }


def read_limit(body: Json) -> int:
    """Return how many points are wanted."""
    limit = body.get("limit")
    return DEFAULT_LIMIT if limit is None else limit


def check_weights(query: Any, legs: int) -> None:
    """Refuse weights that do not go with the legs: the engine would ignore or pad them."""
    weights = (query.get("rrf") or {}).get("weights") if isinstance(query, dict) else None
    if weights is not None and len(weights) != legs:
        raise wrong_input(f"rrf.weights has {len(weights)} entries for {legs} prefetches")


def read_point_id(query: Any) -> int | str | None:
    """Return the id where a query means 'like this point'."""
    asked = query.get("nearest") if isinstance(query, dict) else query
    return asked if isinstance(asked, int | str) else None


def without_itself(filter_: Json | None, query: Any) -> Json | None:
    """Return the filter with the point that is asked about left out of its own answer."""
    found = read_point_id(query)
    if found is None:
        return filter_
    return {"must": [filter_] if filter_ else [], "must_not": [{"has_id": [found]}]}


def build_query(query: Any, using: str | None, find_vector: FindVector) -> Any:
    """Return what scores or orders the points."""
    if query is None:
        return None
    if not isinstance(query, dict) or "indices" in query or "nearest" in query:
        return build_nearest(query, using, find_vector)
    if query.get("rrf") is not None:
        k = query["rrf"].get("k")
        return edge.Fusion.Rrf(DEFAULT_RRF_K if k is None else k, query["rrf"].get("weights"))
    return build_other(query)


def build_nearest(query: Any, using: str | None, find_vector: FindVector) -> Any:
    """Return a similarity query, by vector or by the id of a stored point."""
    wanted = query.get("nearest", query) if isinstance(query, dict) else query
    if isinstance(query, dict) and query.get("mmr"):
        raise not_served("mmr")
    found = read_point_id(wanted)
    vector = wanted if found is None else find_vector(found, using)
    return edge.Query.Nearest(build_named_vector(vector), using)


def build_other(query: Json) -> Any:
    """Return fusions by name, orderings and samples."""
    if query.get("fusion") is not None:
        return edge.Fusion.Dbsf() if query["fusion"] == "dbsf" else edge.Fusion.Rrf(DEFAULT_RRF_K, None)
    if query.get("order_by") is not None:
        return build_order(query["order_by"])
    if query.get("sample") is not None:
        return edge.Sample.Random
    raise not_served(f"a query of the kind {sorted(query)}")


def build_order(value: Any) -> edge.OrderBy | None:
    """Return an ordering, given as a key or with its direction and start."""
    if value is None:
        return None
    body = {"key": value} if isinstance(value, str) else value
    direction = edge.Direction.Desc if body.get("direction") == "desc" else edge.Direction.Asc
    return edge.OrderBy(body["key"], direction, body.get("start_from"))


def build_params(body: Json | None) -> edge.SearchParams | None:
    """Return search parameters; quantization has no meaning here, nothing is quantized."""
    if not body:
        return None
    given = {key: body[key] for key in ("hnsw_ef", "exact", "indexed_only") if body.get(key) is not None}
    return edge.SearchParams(**given)

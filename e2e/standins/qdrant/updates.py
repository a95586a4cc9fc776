"""Changes to points, as Qdrant's batch operations name them, to the engine's update operations."""

from collections.abc import Callable
from typing import Any

import qdrant_edge as edge

from e2e.standins.qdrant.errors import not_served, wrong_input
from e2e.standins.qdrant.filters import build_filter
from e2e.standins.qdrant.points import build_points, build_vectors

Json = dict[str, Any]
Update = edge.UpdateOperation
MODES = {
    "upsert": edge.UpdateMode.Upsert,
    "insert_only": edge.UpdateMode.InsertOnly,
    "update_only": edge.UpdateMode.UpdateOnly,
}


def build_update(name: str, body: Any) -> edge.UpdateOperation:
    """Return the engine's operation for one named change."""
    builder = BUILDERS.get(name)
    if builder is None:
        raise not_served(f"the operation {name}")
    return builder(body)


def select(body: Json, by_id: Callable[..., Any], by_filter: Callable[..., Any], *arguments: Any) -> Any:
    """Return the operation on the points that are listed, or on those that a filter finds."""
    if body.get("points") is not None:
        return by_id(body["points"], *arguments)
    chosen = build_filter(body.get("filter"))
    if chosen is None and body.get("filter") is None:
        raise wrong_input("either `points` or `filter` is needed")
    return by_filter(chosen or edge.Filter(), *arguments)


def build_upsert(body: Json) -> edge.UpdateOperation:
    """Insert or replace points; with `update_filter`, only where the stored point matches it."""
    mode = MODES[body.get("update_mode") or "upsert"]
    return Update.upsert_points(build_points(body), build_filter(body.get("update_filter")), mode)


def build_update_vectors(body: Json) -> edge.UpdateOperation:
    """Replace vectors of stored points."""
    vectors = [edge.PointVectors(item["id"], build_vectors(item["vector"])) for item in body["points"]]
    return Update.update_vectors(vectors, build_filter(body.get("update_filter")))


def build_delete_vectors(body: Json) -> edge.UpdateOperation:
    """Remove named vectors and keep the points."""
    return select(body, Update.delete_vectors, Update.delete_vectors_by_filter, body["vector"])


def build_set_payload(body: Json) -> edge.UpdateOperation:
    """Merge keys into payloads."""
    return select(body, Update.set_payload, Update.set_payload_by_filter, body["payload"], body.get("key"))


def build_overwrite_payload(body: Json) -> edge.UpdateOperation:
    """Replace payloads."""
    arguments = (body["payload"], body.get("key"))
    return select(body, Update.overwrite_payload, Update.overwrite_payload_by_filter, *arguments)


def build_delete_payload(body: Json) -> edge.UpdateOperation:
    """Remove payload keys."""
    return select(body, Update.delete_payload, Update.delete_payload_by_filter, body["keys"])


BUILDERS: dict[str, Callable[[Any], edge.UpdateOperation]] = {
    "upsert": build_upsert,
    "delete": lambda body: select(body, Update.delete_points, Update.delete_points_by_filter),
    "set_payload": build_set_payload,
    "overwrite_payload": build_overwrite_payload,
    "delete_payload": build_delete_payload,
    "clear_payload": lambda body: select(body, Update.clear_payload, Update.clear_payload_by_filter),
    "update_vectors": build_update_vectors,
    "delete_vectors": build_delete_vectors,
}

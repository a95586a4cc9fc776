"""Filters: Qdrant's JSON to the engine's objects."""

from typing import Any

import numpy as np
import qdrant_edge as edge

from e2e.standins.qdrant.errors import wrong_input

Json = dict[str, Any]
MATCHES = {
    "value": edge.MatchValue,
    "any": edge.MatchAny,
    "except": edge.MatchExcept,
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
}
CLAUSES = ("must", "should", "must_not", "min_should")


def build_filter(body: Json | None) -> edge.Filter | None:
    """Return the engine's filter, or None where there is nothing to filter by."""
    if not body:
        return None
    clauses = {name: build_conditions(body.get(name)) for name in CLAUSES[:3]}
    return edge.Filter(**clauses, min_should=build_min_should(body.get("min_should")))


def build_conditions(value: Any) -> list[Any] | None:
    """Return conditions; Qdrant takes one object where a list is expected."""
    if value is None:
        return None
    return [build_condition(item) for item in (value if isinstance(value, list) else [value])]


def build_min_should(body: Json | None) -> edge.MinShould | None:
    """Return the clause of which at least so many conditions must hold."""
    return edge.MinShould(build_conditions(body["conditions"]) or [], body["min_count"]) if body else None


def build_condition(body: Json) -> Any:
    """Return one condition, told by the keys it has."""
    if "key" in body:
        return build_field_condition(body)
    if "has_id" in body:
        return edge.HasIdCondition(set(body["has_id"]))
    if "has_vector" in body:
        return edge.HasVectorCondition(body["has_vector"])
    if "is_empty" in body:
        return edge.IsEmptyCondition(body["is_empty"]["key"])
    if "is_null" in body:
        return edge.IsNullCondition(body["is_null"]["key"])
    return build_group(body)


def build_group(body: Json) -> Any:
    """Return a nested filter, or a condition on the elements of an array."""
    if "nested" in body:
        inner = build_filter(body["nested"]["filter"]) or edge.Filter()
        return edge.NestedCondition(body["nested"]["key"], inner)
    if not body.keys() <= set(CLAUSES):
        raise wrong_input(f"unknown condition with keys {sorted(body)}")
    return build_filter(body) or edge.Filter()


def build_field_condition(body: Json) -> edge.FieldCondition:
    """Return the condition on one payload field."""
    for name in ("geo_bounding_box", "geo_radius", "geo_polygon"):
        if body.get(name):
            raise wrong_input(f"{name} is not served by the stand-in")
    count = body.get("values_count")
    return edge.FieldCondition(
        body["key"],
        match=build_match(body.get("match")),
        range=build_range(body.get("range")),
        values_count=edge.ValuesCount(**count) if count else None,
        is_empty=body.get("is_empty"),
        is_null=body.get("is_null"),
    )


def build_match(body: Json | None) -> Any:
    """Return what a field is compared with."""
    if not body:
        return None
    name = next((name for name in MATCHES if body.get(name) is not None), None)
    if name is None:
        raise wrong_input(f"unknown match with keys {sorted(body)}")
    value = body[name]
    # The engine takes Python's bool for the integer 0 or 1, and numpy's for a boolean.
    return MATCHES[name](np.bool_(value) if isinstance(value, bool) else value)


def build_range(body: Json | None) -> Any:
    """Return the bounds, of numbers or of times."""
    if not body:
        return None
    bounds = {key: value for key, value in body.items() if value is not None}
    kind = edge.RangeDateTime if any(isinstance(value, str) for value in bounds.values()) else edge.RangeFloat
    return kind(**bounds)

"""Small builders for the filters that this package uses."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from qdrant_client import models

T = TypeVar("T")


def field(key: str, value: str | int) -> models.FieldCondition:
    """A field equals a value, or a list holds it."""
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def any_of(key: str, values: Iterable[str]) -> models.FieldCondition:
    """A field equals one of the values."""
    return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))


def both(*conditions: models.Condition) -> models.Filter:
    """All conditions hold."""
    return models.Filter(must=list(conditions))


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into parts of a size."""
    return (items[start : start + size] for start in range(0, len(items), size))

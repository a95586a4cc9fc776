"""One value per layer as runs, `[value, how often, value, how often ...]`.

Neighbouring layers are mostly alike, and a termination message holds 4,096 bytes; a flat list is the shortest form.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any


def to_runs(values: Sequence[int]) -> list[int]:
    """Return value and count of each run, in order."""
    return [number for value, run in groupby(values) for number in (value, len(list(run)))]


def from_runs(document: Any, length: int, limit: int, name: str) -> tuple[int, ...]:
    """Return the `length` values, each 0..limit, of a list of runs; ValueError names the field."""
    if not isinstance(document, list) or len(document) % 2 or len(document) > 2 * length:
        raise ValueError(f"{name}: a list of value and count, by turns, is needed")
    if any(type(number) is not int or not 0 <= number <= limit for number in document):
        raise ValueError(f"{name}: only whole numbers from 0 to {limit} are possible")
    values, counts = document[::2], document[1::2]
    if sum(counts) != length or 0 in counts:
        raise ValueError(f"{name}: the counts do not add up to {length} layers")
    return tuple(value for value, count in zip(values, counts, strict=True) for _ in range(count))

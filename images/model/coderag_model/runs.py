"""One value per layer as runs: `[a, b, -3, c]` is a, b, b, b, b, c: -n repeats the value before it n more times.

Neighbouring layers are mostly alike, and a termination message holds 4,096 bytes even of 126 layers that all differ.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any


def to_runs(values: Sequence[int]) -> list[int]:
    """Return each run of values, which are 0 or more, in order."""
    runs: list[int] = []
    for value, run in groupby(values):
        repeats = len(list(run)) - 1
        runs += [value, -repeats] if repeats else [value]
    return runs


def from_runs(document: Any, length: int, limit: int, name: str) -> tuple[int, ...]:
    """Return the `length` values, each 0..limit, of a list of runs; ValueError names the field."""
    if not isinstance(document, list) or any(type(number) is not int or number > limit for number in document):
        raise ValueError(f"{name}: a list of whole numbers up to {limit} is needed")
    values: list[int] = []
    for place, number in enumerate(document):
        if number < 0 and (place == 0 or document[place - 1] < 0):
            raise ValueError(f"{name}: {number} repeats nothing")
        repeats = -number if number < 0 else 1
        if len(values) + repeats > length:
            raise ValueError(f"{name}: there are more values than the {length} layers")
        values += [values[-1]] * repeats if number < 0 else [number]
    if len(values) < length:
        raise ValueError(f"{name}: there are {len(values)} values for {length} layers")
    return tuple(values)

"""Reading JSON that somebody else may have written: what is missing or of another type counts as unknown."""

import json
from collections.abc import Mapping
from typing import Any

from coderag_operator.observed.quantity import parse_quantity

LONGEST_NUMBER = 32  # characters: no count of things is longer, and Python converts long digits slowly


def read_entry(text: str) -> dict[str, Any] | None:
    """Return a JSON object, None for anything else."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def text_of(entry: Mapping[str, Any], name: str) -> str:
    """Return a text of an entry, empty when it is none."""
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def number_of(entry: Mapping[str, Any], name: str) -> int:
    """Return a whole number of an entry, 0 when it is none."""
    value = entry.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def part_of(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a part of an object, empty when it is none."""
    value = entry.get(name)
    return value if isinstance(value, dict) else {}


def objects_of(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list, empty when it is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def whole(value: object) -> int:
    """Return a number of things that is given as a number, a quantity or a label; 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > LONGEST_NUMBER:
        return 0
    try:
        return int(parse_quantity(str(value)))
    except ValueError:
        return 0

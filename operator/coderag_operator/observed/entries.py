"""Reading JSON that somebody else may have written: what is missing or of another type counts as unknown."""

import json
from collections.abc import Mapping
from typing import Any


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

"""What the ingestion worker reports about the index."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

MESSAGE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository as the worker reports it."""

    name: str
    ref: str = ""
    state: str = ""
    commit: str = ""
    indexed_at: str = ""
    files: int = 0
    chunks: int = 0
    skipped: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """A report; `reachable` is False when the worker has not answered for a while."""

    reachable: bool = True
    identity: str = ""
    repositories: tuple[Repository, ...] = ()


def read_index(document: Mapping[str, Any]) -> Index:
    """Return the report that a status document of the worker is; what changes by itself (the next sync) is left out."""
    found = [read_repository(entry) for entry in list_of(document, "repositories") if isinstance(entry, Mapping)]
    return Index(True, str(document.get("identity") or ""), tuple(sorted(found, key=lambda one: one.name)))


def read_repository(entry: Mapping[str, Any]) -> Repository:
    """Return one repository of a report."""
    name, ref, state, commit, message = (
        str(entry.get(field) or "") for field in ("name", "ref", "state", "commit", "message")
    )
    return Repository(
        name, ref, state, commit, read_time(entry.get("indexed_at")),
        count(entry.get("files")), count(entry.get("chunks")), len(list_of(entry, "skipped")), message[:MESSAGE_LIMIT],
    )  # fmt: skip


def list_of(entry: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list of an entry, empty when it is none."""
    value = entry.get(name)
    return value if isinstance(value, list) else []


def count(value: object) -> int:
    """Return a count, 0 when it is none."""
    return value if isinstance(value, int) and value >= 0 else 0


def read_time(value: object) -> str:
    """Return a time as the API server takes it, to the second and in UTC; empty when it is none."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    return (moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta())).strftime("%Y-%m-%dT%H:%M:%SZ")

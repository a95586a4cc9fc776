"""What the ingestion worker reports about the index."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from coderag_operator.observed.entries import objects_of, part_of, text_of

MESSAGE_LIMIT, REF_MESSAGE_LIMIT, WORD_LIMIT = 300, 200, 128
MOST_REFS = 8  # of a repository, besides the one that searches see without naming it
IDLE, BUILDING, WAITING, REFUSED = "Idle", "Building", "Waiting", "Refused"


@dataclass(frozen=True, slots=True)
class Ref:
    """One more branch or tag of a repository as the worker reports it."""

    ref: str
    state: str = ""
    commit: str = ""
    indexed_at: str = ""
    message: str = ""


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
    refs: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True)
class Promotion:
    """How far an index for another model has come, and what it was measured at against the one that answers.

    `queries` is how many were compared; `ndcg_change` and its upper 95 % bound are differences of nDCG@10.
    """

    state: str = ""
    from_: str = ""
    to: str = ""
    queries: int = 0
    ndcg_change: float | None = None
    upper95: float | None = None
    reason: str = ""
    since: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """What the index that answers was built with; empty while the worker has not told."""

    identity: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """A report; `reachable` is False when the worker has not answered for a while.

    `identity` is that of the embedding model that is wanted, `served` that of the index that answers.
    """

    reachable: bool = True
    identity: str = ""
    repositories: tuple[Repository, ...] = ()
    promotion: Promotion = Promotion()
    served: Served = Served()


def read_index(document: Mapping[str, Any]) -> Index:
    """Return the report that a status document of the worker is; what changes by itself (the next sync) is left out."""
    found = [read_repository(entry) for entry in objects_of(document.get("repositories"))]
    served = part_of(document, "served")
    return Index(
        True,
        str(document.get("identity") or ""),
        tuple(sorted(found, key=lambda one: one.name)),
        read_promotion(part_of(document, "promotion")),
        Served(word_of(served, "identity"), word_of(served, "model")),
    )


def read_repository(entry: Mapping[str, Any]) -> Repository:
    """Return one repository of a report."""
    name, ref, state, commit, message = (
        str(entry.get(field) or "") for field in ("name", "ref", "state", "commit", "message")
    )
    refs = tuple(one for one in map(read_ref, objects_of(entry.get("refs"))) if one.ref not in ("", ref))
    return Repository(
        name, ref, state, commit, read_time(entry.get("indexed_at")),
        count(entry.get("files")), count(entry.get("chunks")), len(list_of(entry, "skipped")), message[:MESSAGE_LIMIT],
        tuple(sorted(refs[:MOST_REFS], key=lambda one: one.ref)),
    )  # fmt: skip


def read_ref(entry: Mapping[str, Any]) -> Ref:
    """Return one more ref of a repository."""
    message = text_of(entry, "message")[:REF_MESSAGE_LIMIT]
    ref, state, commit = (text_of(entry, field) for field in ("ref", "state", "commit"))
    return Ref(ref, state, commit, read_time(entry.get("indexed_at")), message)


def read_promotion(entry: Mapping[str, Any]) -> Promotion:
    """Return how the change to another model stands."""
    return Promotion(
        state=word_of(entry, "state"),
        from_=word_of(entry, "from"),
        to=word_of(entry, "to"),
        queries=count(entry.get("queries")),
        ndcg_change=figure(entry.get("ndcg_change")),
        upper95=figure(entry.get("upper95")),
        reason=text_of(entry, "reason")[:MESSAGE_LIMIT],
        since=read_time(entry.get("since")),
    )


def word_of(entry: Mapping[str, Any], name: str) -> str:
    """Return a name of an entry, as long as names are."""
    return text_of(entry, name)[:WORD_LIMIT]


def figure(value: object) -> float | None:
    """Return a measured figure to four digits, None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return round(float(value), 4)


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

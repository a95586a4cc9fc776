"""The shape of the index in Qdrant: names, point ids and payloads.

Written by ingestion and read by the search. Chunks are stored by content (blob and lines), never by path; the map from
path to blob is the manifest: page points, and a head point that is written last and makes its pages the served ones.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple, Self

ALIAS = "code-live"
COLLECTION_PREFIX = "code-"
DENSE = "dense"
KEYWORD = "keyword"
CHUNK = "chunk"
HEAD = "head"
PAGE = "page"
LEASE = "lease"
INDEXED_FIELDS = ("kind", "blob", "symbols", "language", "repositories", "repository")

_NAMESPACE = uuid.UUID("6f1d8a52-6f0c-5c55-9d6b-3a0b6f0e7c11")


def collection_name(identity: str) -> str:
    """Return the collection of an index identity."""
    return COLLECTION_PREFIX + identity[:12]


def _point_id(*parts: object) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(str(part) for part in parts)))


def chunk_id(identity: str, blob: str, start_line: int, end_line: int) -> str:
    """Return the point id of a chunk: the same content has the same id wherever it lies."""
    return _point_id(identity, blob, start_line, end_line)


def head_id(repository: str, ref: str) -> str:
    """Return the point id of a manifest's head."""
    return _point_id(HEAD, repository, ref)


def page_id(repository: str, ref: str, generation: int, n: int) -> str:
    """Return the point id of one page of a manifest."""
    return _point_id(PAGE, repository, ref, generation, n)


def lease_id(repository: str) -> str:
    """Return the point id of a repository's lease."""
    return _point_id(LEASE, repository)


def text_sha256(text: str) -> str:
    """Return the hash that is stored beside a chunk's text and checked before the text is cited."""
    return hashlib.sha256(text.encode()).hexdigest()


class _Payload:
    """Payloads are flat records; unknown keys of a newer writer are ignored."""

    def to_payload(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any] | None) -> Self:
        known = {one.name for one in fields(cls)}  # type: ignore[arg-type]
        return cls(**{key: value for key, value in (payload or {}).items() if key in known})


@dataclass(frozen=True)
class ChunkPayload(_Payload):
    """A stored chunk. `repositories` is a pre-filter that may be too wide: the manifest decides.

    `within` is the definition that goes on in it, "" where none does.
    """

    blob: str
    start_line: int
    end_line: int
    text: str
    text_sha256: str
    symbols: list[str]
    language: str
    repositories: list[str]
    within: str = ""
    kind: str = CHUNK


@dataclass(frozen=True)
class Skipped:
    """A file that is not searchable as it should be, and why.

    `blob` is set where the content was the cause, so that the same content is not read again; `tries` counts how often
    a file stopped the chunker; `causes` are the chunker's words for the reason.
    """

    path: str
    reason: str
    blob: str = ""
    tries: int = 0
    causes: tuple[str, ...] = ()

    def to_row(self) -> dict[str, str]:
        """Return the row of the head's payload."""
        row = {"path": self.path, "reason": self.reason}
        more = {"blob": self.blob, "tries": str(self.tries or ""), "causes": ",".join(self.causes)}
        return row | {name: value for name, value in more.items() if value}

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "Skipped":
        """Return what a row of a payload says."""
        causes = tuple(row["causes"].split(",")) if row.get("causes") else ()
        return cls(row["path"], row["reason"], row.get("blob", ""), int(row.get("tries", 0)), causes)


@dataclass(frozen=True)
class HeadPayload(_Payload):
    """The served state of one repository at one ref. `fence` grows with every write: an old writer is refused.

    `default` is False for a ref that is searched only when asked for by name; `selection` names the choice of folders
    and patterns; `writer` is the number of the lease that may write next; `model` describes the embedding model;
    `skipped_counts` counts all skipped files by reason, where `skipped` lists the first ones.
    """

    repository: str
    ref: str
    commit: str
    generation: int
    fence: int
    pages: int
    files: int
    chunks: int
    indexed_at: str
    identity: str
    skipped: list[dict[str, str]]
    kind: str = HEAD
    default: bool = True
    selection: str = ""
    writer: int = 0
    model: dict[str, Any] = field(default_factory=dict)
    skipped_counts: dict[str, int] = field(default_factory=dict)

    @property
    def collection(self) -> str:
        """The collection that this head, its pages and its chunks are in."""
        return collection_name(self.identity)


class Entry(NamedTuple):
    """One file of a manifest."""

    path: str
    blob: str
    language: str


@dataclass(frozen=True)
class PagePayload(_Payload):
    """A part of a manifest: the entries `[path, blob, language]` of one generation, and how many chunks each has."""

    repository: str
    ref: str
    generation: int
    n: int
    entries: list[list[str]]
    kind: str = PAGE
    counts: list[int] = field(default_factory=list)

    def files(self) -> list[Entry]:
        """Return the entries by name."""
        return [Entry(*entry) for entry in self.entries]


@dataclass(frozen=True)
class LeasePayload(_Payload):
    """Who may write a repository: `owner` is a pod, `holder` one life of it (empty: free), `beat` says it lives."""

    repository: str
    owner: str
    holder: str
    number: int
    beat: int
    kind: str = LEASE

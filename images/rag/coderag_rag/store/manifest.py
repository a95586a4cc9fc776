"""Manifests in Qdrant: reading what is served, and writing a new state so that it becomes served in one step.

Pages carry the number of their generation and are written first. The head is one point and is written last, only if it
is still the head that this writer read (compare and set on `fence`) and nobody else has taken the lease since
(`writer`), so a second writer can never take over half-way.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from qdrant_client import models

from coderag_rag.store.calls import Calls, StoreError
from coderag_rag.store.filters import both, field
from coderag_rag.store.schema import HEAD, PAGE, Entry, HeadPayload, PagePayload, head_id, page_id

_PAGE_ENTRIES = 2_000
_SCROLL = 256


class LostRace(StoreError):  # noqa: N818 - reads as the state it names
    """Another writer replaced the head since it was read."""


@dataclass(frozen=True)
class Served:
    """One served manifest: its head, all its files, and how many chunks a blob has where that was recorded."""

    head: HeadPayload
    entries: tuple[Entry, ...]
    counts: Mapping[str, int] = attribute(default_factory=dict)


async def scroll(call: Calls, collection: str, wanted: models.Filter, **options: Any) -> list[models.Record]:
    """Return every matching point."""
    found: list[models.Record] = []
    offset: Any = None
    while True:
        batch, offset = await call("scroll", collection, scroll_filter=wanted, limit=_SCROLL, offset=offset, **options)
        found.extend(batch)
        if offset is None:
            return found


async def read_heads(call: Calls, collection: str) -> list[HeadPayload]:
    """Return the heads of every served repository."""
    points = await scroll(call, collection, both(field("kind", HEAD)))
    return [HeadPayload.from_payload(point.payload) for point in points]


async def read_head(call: Calls, collection: str, repository: str, ref: str) -> HeadPayload | None:
    """Return one head, or None when the repository is not served at this ref."""
    points = await call("retrieve", collection, ids=[head_id(repository, ref)], with_payload=True)
    return HeadPayload.from_payload(points[0].payload) if points else None


async def read_served(call: Calls, collection: str, head: HeadPayload) -> Served:
    """Return the files of a head; a page that is missing is an error and never an empty page."""
    ids = [page_id(head.repository, head.ref, head.generation, n) for n in range(head.pages)]
    entries: list[Entry] = []
    counts: dict[str, int] = {}
    for wanted in ids:
        points = await call("retrieve", collection, ids=[wanted], with_payload=True)
        if not points:
            raise StoreError(f"a page of {head.repository} at {head.ref} is missing in Qdrant")
        page = PagePayload.from_payload(points[0].payload)
        entries.extend(page.files())
        counts.update((entry.blob, count) for entry, count in zip(page.files(), page.counts, strict=False))
    return Served(head, tuple(entries), counts)


async def write_pages(
    call: Calls, collection: str, head: HeadPayload, entries: Sequence[Entry], counts: Mapping[str, int]
) -> None:
    """Write the pages of a generation that no head names yet."""
    for n in range(head.pages):
        part = entries[n * _PAGE_ENTRIES : (n + 1) * _PAGE_ENTRIES]
        rows, sizes = [list(entry) for entry in part], [counts[entry.blob] for entry in part]
        page = PagePayload(head.repository, head.ref, head.generation, n, rows, counts=sizes)
        point = models.PointStruct(
            id=page_id(head.repository, head.ref, head.generation, n), vector={}, payload=page.to_payload()
        )
        await call("upsert", collection, points=[point], wait=True)


def page_count(files: int) -> int:
    """Return how many pages a manifest of so many files has."""
    return -(-files // _PAGE_ENTRIES)


async def write_head(call: Calls, collection: str, head: HeadPayload, expected_fence: int) -> None:
    """Make a generation the served one, if the head is still the one that was read (fence 0: if there is none).

    Raises LostRace when another writer was faster, or has taken the lease (`writer`) of this one.
    """
    point = models.PointStruct(id=head_id(head.repository, head.ref), vector={}, payload=head.to_payload())
    conditions = [field("fence", expected_fence), *([field("writer", head.writer)] if head.writer else [])]
    await call("upsert", collection, points=[point], wait=True, update_filter=both(*conditions))
    now = await read_head(call, collection, head.repository, head.ref)
    if now is None or now.generation != head.generation:
        raise LostRace(f"another writer replaced the index of {head.repository}: this sync is void")


async def claim_heads(call: Calls, collection: str, repository: str, writer: int) -> None:
    """Let only the holder of this lease number write the heads of a repository from now on."""
    heads = both(field("kind", HEAD), field("repository", repository))
    await call("set_payload", collection, payload={"writer": writer}, points=heads, wait=True)


def _of(kind: str, repository: str, kept: list[models.Condition]) -> models.FilterSelector:
    chosen = models.Filter(must=[field("kind", kind), field("repository", repository)], must_not=kept)
    return models.FilterSelector(filter=chosen)


async def delete_pages(call: Calls, collection: str, repository: str, keep: Iterable[tuple[str, int]] = ()) -> None:
    """Delete a repository's pages, those of the kept (ref, generation) pairs aside."""
    kept: list[models.Condition] = [both(field("ref", ref), field("generation", number)) for ref, number in keep]
    await call("delete", collection, points_selector=_of(PAGE, repository, kept), wait=True)


async def delete_heads(call: Calls, collection: str, repository: str, keep: Collection[str] = ()) -> None:
    """Stop serving a repository, the kept refs aside."""
    kept: list[models.Condition] = [field("ref", ref) for ref in keep]
    await call("delete", collection, points_selector=_of(HEAD, repository, kept), wait=True)

"""Manifests in Qdrant: reading what is served, and writing a new state so that it becomes served in one step.

Pages carry the number of their generation and are written first. The head is one point and is written last, only if it
is still the head that this writer read (compare and set on `fence`), so a second writer can never take over half-way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
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
    """One served manifest: its head and all its files."""

    head: HeadPayload
    entries: tuple[Entry, ...]


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
    for page in ids:
        points = await call("retrieve", collection, ids=[page], with_payload=True)
        if not points:
            raise StoreError(f"a page of {head.repository} at {head.ref} is missing in Qdrant")
        entries.extend(PagePayload.from_payload(points[0].payload).files())
    return Served(head, tuple(entries))


async def write_pages(call: Calls, collection: str, head: HeadPayload, entries: list[Entry]) -> None:
    """Write the pages of a generation that no head names yet."""
    for n in range(head.pages):
        part = [list(entry) for entry in entries[n * _PAGE_ENTRIES : (n + 1) * _PAGE_ENTRIES]]
        page = PagePayload(head.repository, head.ref, head.generation, n, part)
        point = models.PointStruct(
            id=page_id(head.repository, head.ref, head.generation, n), vector={}, payload=page.to_payload()
        )
        await call("upsert", collection, points=[point], wait=True)


def page_count(files: int) -> int:
    """Return how many pages a manifest of so many files has."""
    return -(-files // _PAGE_ENTRIES)


async def write_head(call: Calls, collection: str, head: HeadPayload, expected_fence: int) -> None:
    """Make a generation the served one, if the head is still the one that was read (fence 0: if there is none)."""
    point = models.PointStruct(id=head_id(head.repository, head.ref), vector={}, payload=head.to_payload())
    unchanged = both(field("fence", expected_fence))
    await call("upsert", collection, points=[point], wait=True, update_filter=unchanged)
    now = await read_head(call, collection, head.repository, head.ref)
    if now is None or now.generation != head.generation:
        raise LostRace(f"another writer replaced the index of {head.repository}: this sync is void")


async def delete_pages(call: Calls, collection: str, repository: str, keep: Iterable[tuple[str, int]] = ()) -> None:
    """Delete a repository's pages, those of the kept (ref, generation) pairs aside."""
    kept = [both(field("ref", ref), field("generation", generation)) for ref, generation in keep]
    pages = models.Filter(must=[field("kind", PAGE), field("repository", repository)], must_not=kept)
    await call("delete", collection, points_selector=models.FilterSelector(filter=pages), wait=True)


async def delete_heads(call: Calls, collection: str, repository: str, keep_ref: str | None = None) -> None:
    """Stop serving a repository, or every ref of it but one."""
    kept = [] if keep_ref is None else [field("ref", keep_ref)]
    heads = models.Filter(must=[field("kind", HEAD), field("repository", repository)], must_not=kept)
    await call("delete", collection, points_selector=models.FilterSelector(filter=heads), wait=True)

"""One sync: make the index serve one commit of one repository at one ref.

The order is the guarantee: chunks, verify, pages, head, and only then garbage. Until the head is written the commit
that was served before is served unchanged; after that the new one is. A crash anywhere leaves one of the two.
"""

import logging
import random
import time
from collections import Counter
from dataclasses import asdict, replace

from coderag_rag.ingestion.garbage import collect_after
from coderag_rag.ingestion.index import Index
from coderag_rag.ingestion.plan import Plan, plan_sync
from coderag_rag.ingestion.reading import Progress, Read, read_blobs
from coderag_rag.ingestion.selection import words
from coderag_rag.ingestion.source import Source
from coderag_rag.ingestion.tools import Tools
from coderag_rag.store.calls import StoreError
from coderag_rag.store.lease import Lease
from coderag_rag.store.manifest import page_count, write_head, write_pages
from coderag_rag.store.schema import Entry, HeadPayload, Skipped

logger = logging.getLogger(__name__)
# A payload is read as a whole, so the list of skipped files in the head is bounded.
_MOST_SKIPPED = 1_000


def new_generation() -> int:
    """Return a number that no other writer uses: milliseconds and ten random bits, exact as a JSON number."""
    return (time.time_ns() // 1_000_000 << 10) | random.getrandbits(10)


async def apply_commit(
    source: Source,
    commit: str,
    before: HeadPayload | None,
    index: Index,
    tools: Tools,
    progress: Progress,
    lease: Lease,
) -> tuple[HeadPayload, Read]:
    """Serve a fetched commit. The caller makes sure that no other sync of this process writes at the same time."""
    files = await source.repository.files(commit)
    plan = plan_sync(source, files, await index.served())
    read = await read_blobs(source, plan, plan.read, index, tools, progress)
    await index.chunks.set_paths(plan.moved)
    await index.chunks.set_repositories(plan.joined)
    await index.chunks.verify(read.ids)
    read = await _mend(source, plan, read, index, tools)
    entries, counts = plan.entries(read.languages), {**plan.counts, **read.counts}
    head = _filled(_head(source, commit, before, index, tools, lease), entries, counts, _skipped(plan, read))
    await write_pages(index.call, index.collection, head, entries, counts)
    await write_head(index.call, index.collection, head, before.fence if before else 0)
    await _collect(index, source, head, plan, lease)
    return head, read


async def _mend(source: Source, plan: Plan, read: Read, index: Index, tools: Tools) -> Read:
    """Make whole what has too few or too many chunks, whatever became of it; raises StoreError when that fails."""
    expected = {**plan.counts, **read.counts}
    unequal = await index.chunks.unequal(expected)
    if not unequal:
        return read
    again = await read_blobs(source, plan, unequal, index, tools)
    await index.chunks.prune(unequal, again.ids)
    read = read.joined(again)
    if left := await index.chunks.unequal({**plan.counts, **read.counts}):
        raise StoreError(f"{len(left)} files are not whole in Qdrant: trying again")
    logger.info("mended", extra={"repository": source.name, "blobs": len(unequal)})
    return read


def _skipped(plan: Plan, read: Read) -> list[Skipped]:
    """Every file that is less than fully searchable: what stopped the chunker first, then the missing ones."""
    kept = {blob: note for blob, note in plan.remembered.items() if blob in plan.known or blob in plan.avoided}
    notes = (kept | read.notes).items()
    noted = [replace(note, path=path, blob=blob) for blob, note in notes for path in plan.paths_of[blob]]
    stopped = [one for one in noted if one.tries]
    return [*stopped, *plan.skipped, *(one for one in noted if not one.tries)]


def _filled(head: HeadPayload, entries: list[Entry], counts: dict[str, int], skipped: list[Skipped]) -> HeadPayload:
    return replace(
        head,
        pages=page_count(len(entries)),
        files=len(entries),
        chunks=sum(counts[blob] for blob in {entry.blob for entry in entries}),
        skipped=[one.to_row() for one in skipped[:_MOST_SKIPPED]],
        skipped_counts=dict(Counter(word for one in skipped for word in words(one))),
    )


def _head(
    source: Source, commit: str, before: HeadPayload | None, index: Index, tools: Tools, lease: Lease
) -> HeadPayload:
    return HeadPayload(
        repository=source.name,
        ref=source.ref,
        commit=commit,
        generation=new_generation(),
        fence=(before.fence if before else 0) + 1,
        pages=0,
        files=0,
        chunks=0,
        indexed_at=tools.clock().isoformat(timespec="seconds"),
        identity=index.identity,
        skipped=[],
        default=source.default,
        selection=source.wanted.key,
        writer=lease.number,
        model=asdict(index.model),
    )


async def _collect(index: Index, source: Source, head: HeadPayload, plan: Plan, lease: Lease) -> None:
    """The new commit is served already: what cannot be cleaned up now is left to the next reconcile."""
    try:
        await lease.check()
        await collect_after(index, source, head, plan)
    except StoreError as error:
        logger.warning("garbage is left for later", extra={"repository": head.repository, "reason": str(error)})

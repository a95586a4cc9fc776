"""One sync: make the index serve one commit of one repository.

The order is the guarantee: chunks, verify, pages, head, and only then garbage. Until the head is written the commit
that was served before is served unchanged; after that the new one is. A crash anywhere leaves one of the two.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from coderag_rag.chunking.document import Document
from coderag_rag.git.repository import Repository
from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.garbage import collect_after
from coderag_rag.ingestion.index import Index
from coderag_rag.ingestion.intake import Intake
from coderag_rag.ingestion.plan import Plan, plan_sync
from coderag_rag.ingestion.preparer import Preparer
from coderag_rag.store.calls import StoreError
from coderag_rag.store.manifest import page_count, write_head, write_pages
from coderag_rag.store.schema import Entry, HeadPayload, Skipped

logger = logging.getLogger(__name__)
# A payload is read as a whole, so the list of skipped files in the head is bounded.
_MOST_SKIPPED = 1_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Source:
    """What to index: a repository by name, at a ref."""

    name: str
    ref: str
    repository: Repository


@dataclass(frozen=True)
class Tools:
    """What a sync works with."""

    preparer: Preparer
    embedder: Embedder
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True)
class Read:
    """What reading the new blobs gave: their languages, notes on files, and the ids of all their chunks."""

    languages: dict[str, str]
    notes: dict[str, str]
    ids: list[str]
    documents: dict[str, int]


def new_generation() -> int:
    """Return a number that no other writer uses: milliseconds and ten random bits, exact as a JSON number."""
    return (time.time_ns() // 1_000_000 << 10) | random.getrandbits(10)


async def read_blobs(source: Source, plan: Plan, index: Index, tools: Tools, progress: Progress) -> Read:
    """Prepare, embed and store the content that is in no served manifest."""
    result = Read({}, {}, [], {})
    intake = Intake(index, tools.embedder, result.ids)
    async with source.repository.blobs(plan.read) as contents:
        done = 0
        async for blob, data in contents:
            document = await tools.preparer.prepare(data, list(plan.all_paths[blob]))
            _record(result, blob, document)
            await intake.take(blob, document, plan.repositories(blob))
            done += 1
            progress(done, len(plan.read))
    await intake.flush()
    return result


def _record(result: Read, blob: str, document: Document) -> None:
    result.documents[document.chunker] = result.documents.get(document.chunker, 0) + 1
    if document.reason:
        result.notes[blob] = document.reason
    if document.chunker != "none":
        result.languages[blob] = document.language


def _skipped(plan: Plan, notes: dict[str, str]) -> list[Skipped]:
    """Every file that is less than fully searchable, the missing ones first."""
    noted = [Skipped(path, note) for blob, note in notes.items() for path in plan.paths_of[blob]]
    return [*plan.skipped, *noted][:_MOST_SKIPPED]


async def _serve(index: Index, head: HeadPayload, entries: list[Entry], expected_fence: int) -> None:
    await write_pages(index.call, index.collection, head, entries)
    await write_head(index.call, index.collection, head, expected_fence)


async def apply_commit(
    source: Source, commit: str, before: HeadPayload | None, index: Index, tools: Tools, progress: Progress
) -> tuple[HeadPayload, Read]:
    """Serve a fetched commit. The caller makes sure that no other sync writes at the same time."""
    files = await source.repository.files(commit)
    plan = plan_sync(source.name, files, await index.served())
    read = await read_blobs(source, plan, index, tools, progress)
    await index.chunks.set_paths(plan.moved)
    await index.chunks.set_repositories(plan.joined)
    await index.chunks.verify(read.ids)
    entries = plan.entries(read.languages)
    head = _head(source, commit, before, index, tools)
    head = replace(
        head,
        pages=page_count(len(entries)),
        files=len(entries),
        chunks=await index.chunks.count({entry.blob for entry in entries}),
        skipped=[asdict(one) for one in _skipped(plan, dict(plan.notes) | read.notes)],
    )
    await _serve(index, head, entries, before.fence if before else 0)
    await _collect(index, head, plan)
    return head, read


def _head(source: Source, commit: str, before: HeadPayload | None, index: Index, tools: Tools) -> HeadPayload:
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
    )


async def _collect(index: Index, head: HeadPayload, plan: Plan) -> None:
    """The new commit is served already: what cannot be cleaned up now is left to the next reconcile."""
    try:
        await collect_after(index, head, plan.left)
    except StoreError as error:
        logger.warning("garbage is left for later", extra={"repository": head.repository, "reason": str(error)})

"""Removes what no served manifest names. Always after a head is written or removed, never before.

Everything here is a consequence of the served manifests and can be repeated, so a crash in the middle loses nothing
and `reconcile` finishes it.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from coderag_rag.ingestion.index import Index
from coderag_rag.ingestion.plan import Plan, holders
from coderag_rag.ingestion.source import Key, Source
from coderag_rag.store.manifest import Served, delete_heads, delete_pages
from coderag_rag.store.schema import HeadPayload

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reconciled:
    """What a comparison of all points with the manifests found: blobs removed, blobs corrected, and sources of which
    chunks are missing or too many; those have to be synced again."""

    removed: int
    corrected: int
    damaged: frozenset[Key]


async def release_blobs(index: Index, left: Mapping[str, tuple[str, ...]]) -> None:
    """Take blobs from a repository: delete those that nobody else holds, rename the holders of the others."""
    await index.chunks.delete(blob for blob, names in left.items() if not names)
    await index.chunks.set_repositories({blob: names for blob, names in left.items() if names})


async def collect_after(index: Index, source: Source, head: HeadPayload, plan: Plan) -> None:
    """Remove what a newly served head replaced."""
    staying = (head, *plan.siblings)
    await delete_heads(index.call, index.collection, source.name, keep=[one.ref for one in staying])
    keep = [(one.ref, one.generation) for one in staying]
    await delete_pages(index.call, index.collection, source.name, keep=keep)
    await release_blobs(index, plan.left)


def _retired(served: list[Served], refs_of: Mapping[str, tuple[str, ...]]) -> list[Served]:
    """What is not configured. Where the default ref is not served yet, a former one stays until it is."""
    keys = {(one.head.repository, one.head.ref) for one in served}

    def gone(name: str, ref: str) -> bool:
        refs = refs_of.get(name)
        return refs is None or (ref not in refs and (name, refs[0]) in keys)

    return [one for one in served if gone(one.head.repository, one.head.ref)]


async def retire(index: Index, refs_of: Mapping[str, tuple[str, ...]]) -> list[Key]:
    """Stop serving what is no longer configured (repository: its refs, default first), and remove what only it held."""
    served = await index.served()
    gone = _retired(served, refs_of)
    if not gone:
        return []
    staying = [one for one in served if one not in gone]
    for name in sorted({one.head.repository for one in gone}):
        heads = [one.head for one in staying if one.head.repository == name]
        await delete_heads(index.call, index.collection, name, keep=[head.ref for head in heads])
        await delete_pages(index.call, index.collection, name, keep=[(head.ref, head.generation) for head in heads])
    remaining = holders(staying)
    await release_blobs(index, {blob: remaining.get(blob, ()) for blob in holders(gone)})
    return [Key(one.head.repository, one.head.ref) for one in gone]


async def reconcile(index: Index) -> Reconciled:
    """Compare every stored chunk with the served manifests.

    Only for a moment when no sync is under way: what an unfinished sync has written looks like garbage.
    """
    served = await index.served()
    held, stored = holders(served), await index.chunks.census()
    orphans: dict[str, tuple[str, ...]] = {blob: () for blob in stored if blob not in held}
    wrong = {blob: held[blob] for blob, found in stored.items() if blob in held and found.holders != {held[blob]}}
    await release_blobs(index, orphans | wrong)
    for name in sorted({one.head.repository for one in served}):
        keep = [(one.head.ref, one.head.generation) for one in served if one.head.repository == name]
        await delete_pages(index.call, index.collection, name, keep=keep)
    sizes = {blob: found.chunks for blob, found in stored.items()}
    damaged = frozenset(Key(one.head.repository, one.head.ref) for one in served if _damaged(one, sizes))
    found = Reconciled(len(orphans), len(wrong), damaged)
    logger.info("reconciled", extra={"removed": found.removed, "corrected": found.corrected, "damaged": len(damaged)})
    return found


def _damaged(served: Served, sizes: Mapping[str, int]) -> bool:
    return any(sizes.get(blob, 0) != expected for blob, expected in served.counts.items())

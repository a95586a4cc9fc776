"""Removes what no served manifest names. Always after a head is written or removed, never before.

Everything here is a consequence of the served manifests and can be repeated, so a crash in the middle loses nothing
and `reconcile` finishes it.
"""

import logging
from collections.abc import Collection, Mapping

from coderag_rag.ingestion.index import Index
from coderag_rag.store.manifest import Served, delete_heads, delete_pages
from coderag_rag.store.schema import HeadPayload

logger = logging.getLogger(__name__)


async def release_blobs(index: Index, left: Mapping[str, tuple[str, ...]]) -> None:
    """Take blobs from a repository: delete those that nobody else holds, rename the holders of the others."""
    await index.chunks.delete(blob for blob, holders in left.items() if not holders)
    await index.chunks.set_repositories({blob: holders for blob, holders in left.items() if holders})


async def collect_after(index: Index, head: HeadPayload, left: Mapping[str, tuple[str, ...]]) -> None:
    """Remove what a newly served head replaced."""
    await delete_heads(index.call, index.collection, head.repository, keep_ref=head.ref)
    await delete_pages(index.call, index.collection, head.repository, keep=[(head.ref, head.generation)])
    await release_blobs(index, left)


def _holders(served: Collection[Served]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for one in served:
        for entry in one.entries:
            found.setdefault(entry.blob, set()).add(one.head.repository)
    return {blob: tuple(sorted(names)) for blob, names in found.items()}


async def retire_repositories(index: Index, configured: Collection[str]) -> list[str]:
    """Stop serving repositories that are no longer configured, and remove what only they held."""
    served = await index.served()
    gone = sorted({one.head.repository for one in served} - set(configured))
    if not gone:
        return []
    remaining = _holders([one for one in served if one.head.repository not in gone])
    left = _holders([one for one in served if one.head.repository in gone])
    for name in gone:
        await delete_heads(index.call, index.collection, name)
        await delete_pages(index.call, index.collection, name)
    await release_blobs(index, {blob: remaining.get(blob, ()) for blob in left})
    return gone


async def reconcile(index: Index) -> tuple[int, int]:
    """Compare every stored chunk with the served manifests; return how many blobs were removed and corrected.

    Only for a moment when no sync is under way: what an unfinished sync has written looks like garbage.
    """
    served = await index.served()
    holders = _holders(served)
    stored = await index.chunks.blobs()
    orphans = {blob: () for blob in stored if blob not in holders}
    wrong = {blob: holders[blob] for blob, seen in stored.items() if blob in holders and seen != {holders[blob]}}
    await release_blobs(index, orphans | wrong)
    for name in sorted({one.head.repository for one in served}):
        keep = [(one.head.ref, one.head.generation) for one in served if one.head.repository == name]
        await delete_pages(index.call, index.collection, name, keep=keep)
    if orphans or wrong:
        logger.info("reconciled", extra={"removed_blobs": len(orphans), "corrected_blobs": len(wrong)})
    return len(orphans), len(wrong)

"""Citations of an answer, verified: markers resolved to exact lines of a commit, if everything about them holds.

A block may be cited if its blob is in the manifests that this request saw and the hash of each stored text in it holds.
Chunks that fail are kept out of the prompt as well: what cannot be cited must not be told.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from coderag_rag.answer.context import Block
from coderag_rag.query.hits import Hit
from coderag_rag.query.manifest import Snapshot
from coderag_rag.store.schema import text_sha256

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Citation:
    """One cited source."""

    marker: str
    repository: str
    commit: str
    path: str
    start_line: int
    end_line: int
    text: str


def is_true(hit: Hit, snapshot: Snapshot) -> bool:
    """Verify that a hit is what it claims to be: served at this path, with the text that was indexed."""
    served = any((place.commit, place.path) == (hit.commit, hit.path) for place in snapshot.places(hit.blob))
    return served and text_sha256(hit.text) == hit.text_sha256


def only_true(hits: Iterable[Hit], snapshot: Snapshot) -> list[Hit]:
    """Return the hits that may be shown to a model."""
    kept = []
    for hit in hits:
        if is_true(hit, snapshot):
            kept.append(hit)
        else:
            logger.error("a stored chunk does not match its hash", extra={"path": hit.path, "commit": hit.commit})
    return kept


def resolve(cited: Sequence[int], blocks: Mapping[int, Block], snapshot: Snapshot) -> list[Citation]:
    """Return the citations for the numbers an answer used, each once, in the order of first use."""
    found = [blocks[number] for number in dict.fromkeys(cited) if number in blocks]
    return [_citation(block) for block in found if all(is_true(hit, snapshot) for hit in block.hits)]


def _citation(block: Block) -> Citation:
    hit, lines = block.hits[0], (block.start_line, block.end_line)
    return Citation(f"[{block.number}]", hit.repository, hit.commit, hit.path, *lines, block.source)


def sources_list(citations: Sequence[Citation]) -> str:
    """Return the list that ends a chat answer; empty when nothing was cited."""
    if not citations:
        return ""
    lines = [
        f"{item.marker} {item.repository} {item.path}:{item.start_line}-{item.end_line} @{item.commit[:7]}"
        for item in citations
    ]
    return "\n\nSources:\n" + "\n".join(lines)

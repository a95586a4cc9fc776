"""Reads blobs into the index: prepare, embed, store, and remember what came of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from coderag_rag.chunking.document import Document
from coderag_rag.ingestion.index import Index
from coderag_rag.ingestion.intake import Intake
from coderag_rag.ingestion.plan import Plan
from coderag_rag.ingestion.preparer import STOPPED
from coderag_rag.ingestion.source import Source
from coderag_rag.ingestion.tools import Tools
from coderag_rag.store.schema import Skipped

Progress = Callable[[int, int], None]
_UNREAD = frozenset({"none", STOPPED})


@dataclass(frozen=True)
class Read:
    """What reading blobs gave: their languages, notes, numbers of chunks, the ids of all their chunks, and how many
    documents each chunker made."""

    languages: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Skipped] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    documents: dict[str, int] = field(default_factory=dict)

    def record(self, blob: str, document: Document, tries: int) -> None:
        """Note what became of a blob."""
        self.documents[document.chunker] = self.documents.get(document.chunker, 0) + 1
        if document.reason:
            stopped = tries + 1 if document.chunker == STOPPED else 0
            self.notes[blob] = Skipped("", document.reason, blob, stopped, tuple(document.causes))
        if document.chunker not in _UNREAD:
            self.languages[blob] = document.language
            self.counts[blob] = len({(piece.start_line, piece.end_line) for piece in document.pieces})

    def joined(self, later: "Read") -> "Read":
        """Return both; what was read later holds."""
        return replace(
            self,
            languages=self.languages | later.languages,
            notes=self.notes | later.notes,
            counts=self.counts | later.counts,
            ids=self.ids + later.ids,
        )


def _nobody(_done: int, _total: int) -> None:
    """Progress that nobody asked for."""


async def read_blobs(
    source: Source, plan: Plan, blobs: Sequence[str], index: Index, tools: Tools, progress: Progress = _nobody
) -> Read:
    """Prepare, embed and store content."""
    result = Read()
    async with source.repository.blobs(blobs) as contents, Intake(index, tools.embedder, result.ids) as intake:
        async for blob, data in contents:
            document = await tools.preparer.prepare(data, list(plan.all_paths[blob]))
            result.record(blob, document, plan.tries(blob))
            await intake.take(blob, document, plan.repositories(blob))
            progress(intake.stored, len(blobs))
        await intake.flush()
        progress(intake.stored, len(blobs))
    return result

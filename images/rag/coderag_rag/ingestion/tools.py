"""What a sync works with besides the index."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.preparer import Preparer


@dataclass(frozen=True)
class Tools:
    """Reads documents, makes vectors, tells the time."""

    preparer: Preparer
    embedder: Embedder
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

"""What a search returns."""

from dataclasses import dataclass, field

from coderag_rag.query.manifest import Place, Snapshot
from coderag_rag.query.weights import QueryClass


@dataclass(frozen=True)
class Hit:
    """Lines of a served commit that answer a query. Lines are 1-based and inclusive.

    `within`: the definition that began above and goes on here, "" where none does.
    """

    repository: str
    ref: str
    commit: str
    path: str
    start_line: int
    end_line: int
    score: float
    language: str
    symbols: list[str]
    text: str
    blob: str
    text_sha256: str
    within: str = ""
    also_at: list[Place] = field(default_factory=list)


@dataclass(frozen=True)
class SearchResult:
    """Hits, and the view of the index that they are true for."""

    hits: list[Hit]
    degraded: list[str]
    snapshot: Snapshot
    kind: QueryClass

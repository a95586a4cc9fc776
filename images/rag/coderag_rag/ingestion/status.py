"""What the worker says about each repository. Derived from acknowledged writes only."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from coderag_rag.chunking.causes import PARSER_DIED, TIMEOUT
from coderag_rag.store.schema import HeadPayload

PENDING, SYNCING, SERVED, FAILED = "Pending", "Syncing", "Served", "Failed"
_MOST_SKIPPED = 50
_STOPS = frozenset({TIMEOUT, PARSER_DIED})


@dataclass
class RepositoryStatus:
    """One repository: what is served of it, what is going on, when the next sync is due."""

    name: str
    ref: str
    head: HeadPayload | None = None
    running: bool = False
    failed: bool = False
    message: str = "waiting for the first sync"
    next_sync: datetime | None = None
    failures: int = 0
    attempted: bool = False

    @property
    def state(self) -> str:
        """A repository that is served stays Served, whatever happens to its refresh."""
        if self.head is not None:
            return SERVED
        if self.running:
            return SYNCING
        return FAILED if self.failed else PENDING

    def began(self) -> None:
        """A sync has begun."""
        self.running, self.attempted, self.message = True, True, "reading the remote"

    def serving(self, head: HeadPayload) -> None:
        """A commit is served; what else has to be done may still be under way."""
        self.head = head

    def advanced(self, done: int, total: int) -> None:
        """A sync has read some of the new files."""
        self.message = f"{done} of {total} new files indexed"

    def succeeded(self) -> None:
        """A sync ended with the commit that it was about."""
        self.running, self.failed, self.failures = False, False, 0
        self.message = "" if self.head else "indexed; searched as soon as the new index is promoted"

    def failed_with(self, message: str) -> None:
        """A sync ended without a new commit."""
        self.running, self.failed, self.message = False, True, message
        self.failures += 1

    def to_json(self) -> dict[str, Any]:
        """Return the status as the API shows it."""
        head = self.head
        return {
            "ref": self.ref,
            "state": self.state,
            "commit": head.commit if head else None,
            "indexed_at": head.indexed_at if head else None,
            "files": head.files if head else 0,
            "chunks": head.chunks if head else 0,
            "skipped": _rows(head.skipped) if head else [],
            "skipped_counts": head.skipped_counts if head else {},
            "stopped": _rows(row for row in head.skipped if _stopped(row)) if head else [],
            "message": self.message,
            "next_sync": self.next_sync.isoformat(timespec="seconds") if self.next_sync else None,
        }


def _stopped(row: dict[str, str]) -> bool:
    """Whether a file stopped the chunker or its parser."""
    return "tries" in row or not _STOPS.isdisjoint(row.get("causes", "").split(","))


def _rows(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    return [{"path": row["path"], "reason": row["reason"]} for row in islice(rows, _MOST_SKIPPED)]

"""Exact search: lines of the served files that hold a text or match an expression.

First the chunks that the keyword leg finds likely, then all others, page by page, until there are enough lines, or the
bounds on chunks and time are reached: `complete` says whether all were looked at. Only a few run at once; one more is
refused and not queued, so that ranked searches keep their share of Qdrant and of this process.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qdrant_client import models

from coderag_rag.keyword import query_vector
from coderag_rag.query.access import EVERYTHING, Permit
from coderag_rag.query.effort import Effort
from coderag_rag.query.guard import Breaker
from coderag_rag.query.manifest import Place, Snapshot
from coderag_rag.query.patterns import Pattern
from coderag_rag.query.places import best_place, is_generated, is_test, is_vendored
from coderag_rag.query.poller import ManifestPoller
from coderag_rag.query.reader import IndexReader
from coderag_rag.query.scope import Filters, Scope
from coderag_rag.query.view import guarded
from coderag_rag.store.filters import both
from coderag_rag.store.schema import KEYWORD

_PAYLOAD = ["blob", "start_line", "language", "text"]
_PAGE = 256
_LIKELY = 200
_MOST_CHUNKS = 20_000
_MOST_AT_ONCE = 2
_MOST_IN_A_FILE = 20
_LONGEST_LINE = 500
_RESERVE = 1.0  # seconds before the deadline in which no new page is begun


class TooManyScans(Exception):  # noqa: N818 - reads as the state it names
    """As many exact searches as may run at once are running."""


@dataclass(frozen=True)
class ScanRequest:
    """What to look for and where."""

    pattern: Pattern
    limit: int = 50
    filters: Filters = field(default_factory=Filters)
    permit: Permit = EVERYTHING


@dataclass(frozen=True)
class Match:
    """A line of a served file; line and column count from 1."""

    place: Place
    also_at: tuple[Place, ...]
    line: int
    column: int
    text: str
    language: str


@dataclass(frozen=True)
class ScanResult:
    """The lines, the plainest files first, and how much was looked at."""

    matches: list[Match]
    snapshot: Snapshot
    scanned: int
    complete: bool


class Scanner:
    """Answers exact searches."""

    def __init__(self, reader: IndexReader, manifests: ManifestPoller, qdrant: Breaker) -> None:
        self._reader, self._manifests, self._qdrant = reader, manifests, qdrant
        self._running = 0

    async def scan(self, request: ScanRequest, effort: Effort) -> ScanResult:
        """Return matching lines; raises TooManyScans, and what a search raises."""
        with self._one_more():
            return await guarded(self._qdrant, effort, partial(self._scan, request, effort))

    @contextmanager
    def _one_more(self) -> Any:
        if self._running >= _MOST_AT_ONCE:
            raise TooManyScans(f"{_MOST_AT_ONCE} exact searches are running")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    async def _scan(self, request: ScanRequest, effort: Effort) -> ScanResult:
        scope = Scope.build(self._manifests.served(), request.filters, request.permit)
        seen: set[str] = set()
        found: list[Match] = []
        complete = True
        async for page in self._pages(request.pattern, scope):
            fresh = [point for point in page if str(point.id) not in seen]
            if fresh and (
                len(seen) >= _MOST_CHUNKS or len(found) > request.limit or not effort.deadline.allows(_RESERVE)
            ):
                complete = False
                break
            seen.update(str(point.id) for point in fresh)
            found += await asyncio.to_thread(_matches, request.pattern, scope, fresh)
        kept = _kept(found, request.limit)
        return ScanResult(kept, scope.snapshot, len(seen), complete and len(kept) == len(found))

    async def _pages(self, pattern: Pattern, scope: Scope) -> AsyncIterator[Iterable[Any]]:
        """Yield chunks with their text: the likely ones, then all that hold the words that a match must hold."""
        reader, vector = self._reader.at(scope.snapshot.collection), query_vector(pattern.hint)
        if vector.indices:
            yield await reader.nearest(vector, KEYWORD, scope.where, _LIKELY, _PAYLOAD)
        words = [models.FieldCondition(key="text", match=models.MatchText(text=word)) for word in pattern.words]
        async for page in reader.pages(both(*scope.conditions, *words), _PAYLOAD, _PAGE):
            yield page


def _matches(pattern: Pattern, scope: Scope, points: Iterable[Any]) -> list[Match]:
    found = []
    for payload in (point.payload for point in points if point.payload):
        places = scope.places(payload["blob"])
        if places:
            place, others = best_place(places, frozenset())
            for before, column, line in pattern.lines(payload["text"]):
                where = (place, tuple(others), payload["start_line"] + before, column)
                found.append(Match(*where, line[:_LONGEST_LINE], payload["language"]))
    return found


def _kept(found: Iterable[Match], limit: int) -> list[Match]:
    """Return the first lines, of one file only so many: one long table must not be the whole answer."""
    of_file: Counter[Place] = Counter()
    kept = []
    for match in sorted(found, key=_order):
        of_file[match.place] += 1
        if of_file[match.place] <= _MOST_IN_A_FILE:
            kept.append(match)
    return kept[:limit]


def _order(match: Match) -> tuple[object, ...]:
    path = match.place.path
    return (is_test(path) + is_vendored(path) + is_generated(path), match.place.repository, path, match.line)

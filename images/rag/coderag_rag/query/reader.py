"""Reads of the index: heads, pages, the legs of a search, and texts. Only this module and `wire` speak to Qdrant.

Chunks that are known need not be read again: of those a leg's answer is ids and scores alone.

Errors of the client become two: `DependencyDown` when trying again can help, `IndexRefused` when Qdrant answered and
said no, for example for a vector of another model.
"""

import asyncio
from collections import ChainMap
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, MutableMapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import httpx
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from coderag_rag.query.chunk import Chunk, Found
from coderag_rag.query.guard import DependencyDown
from coderag_rag.query.known import KnownChunks
from coderag_rag.query.manifest import NothingIndexed
from coderag_rag.query.wire import Near, Point, Vector, Wire, wire_of
from coderag_rag.store.filters import any_of, both, field
from coderag_rag.store.schema import ALIAS, CHUNK, HEAD, Entry, HeadPayload, PagePayload, page_id

T = TypeVar("T")

QDRANT = "qdrant"
_LIGHT = ["blob", "start_line", "end_line", "symbols", "within", "language"]
# Where chunks are not known, texts come too: Qdrant reads all that a point holds for any of it, and to ask again for
# ten texts costs more than to send sixty.
_WHOLE = [*_LIGHT, "text", "text_sha256"]
_PAGES_AT_ONCE = 4  # so that one answer stays well below the timeout of a look
_HEADS_AT_ONCE = 256
_CHUNKS_OF_FILES = 1000
_CHUNKS_AT_ONCE = 256


class IndexRefused(Exception):  # noqa: N818 - reads as the state it names
    """Qdrant understood the request and refused it."""


class ChunkRange(NamedTuple):
    """The lines of a chunk, 1-based and inclusive."""

    point: str
    start_line: int
    end_line: int


class Defined(NamedTuple):
    """The names that a chunk defines, and its first line."""

    blob: str
    line: int
    symbols: tuple[str, ...]


class IndexReader:
    """Reads one collection; without a name the live one, whichever the alias names in the moment of each read.

    Only heads are looked for through the alias. They say which collection they are of, and what is read for a request
    comes from that one: between two reads the alias may move, and ids and vectors of another index mean nothing.

    `timeout` bounds each call; the client's own counts whole seconds and stands for all that share the client.
    """

    def __init__(
        self,
        client: AsyncQdrantClient,
        timeout: float = 30.0,
        collection: str = ALIAS,
        known: KnownChunks | None = None,
    ) -> None:
        self._client, self._timeout, self._collection = client, timeout, collection
        self._known = KnownChunks(0) if known is None else known

    def at(self, collection: str) -> "IndexReader":
        """Return a reader of a collection by its own name; a replaced one stays for a day."""
        return IndexReader(self._client, self._timeout, collection, self._known)

    @property
    def holds_only_served(self) -> bool:
        """Whether the collection is known to hold no chunks beside the served ones, a few aside."""
        return self._known.of(self._collection) is not None and self._known.alone

    @cached_property
    def _wire(self) -> Wire:
        return wire_of(self._client, self._collection)

    async def heads(self) -> list[HeadPayload]:
        """Return every head; none when nothing was ever indexed."""
        found: list[HeadPayload] = []
        offset: Any = None
        while True:
            call = self._client.scroll(
                self._collection, scroll_filter=both(field("kind", HEAD)), limit=_HEADS_AT_ONCE, offset=offset
            )
            try:
                points, offset = await self._answer(call)
            except NothingIndexed:
                return []
            found += [HeadPayload.from_payload(point.payload) for point in points]
            if offset is None:
                return found

    async def entries(self, head: HeadPayload) -> list[Entry] | None:
        """Return the files of a head's generation; None when its pages are already gone."""
        ids = [page_id(head.repository, head.ref, head.generation, n) for n in range(head.pages)]
        entries: list[Entry] = []
        for start in range(0, len(ids), _PAGES_AT_ONCE):
            wanted = ids[start : start + _PAGES_AT_ONCE]
            points = await self._answer(self._client.retrieve(head.collection, wanted, with_payload=True))
            if len(points) != len(wanted):
                return None
            entries += [entry for point in points for entry in PagePayload.from_payload(point.payload).files()]
        return entries

    async def nearest(
        self, vector: Vector, using: str, where: models.Filter, limit: int, payload: Sequence[str] = _WHOLE
    ) -> list[Point]:
        """Return the points nearest to a vector."""
        return (await self._answer(self._wire.nearest([Near(vector, using, where, limit)], payload)))[0]

    async def all_nearest(self, legs: Sequence[Near]) -> list[list[Found]]:
        """Return what several legs found, in their order and with texts, from one request where all is known."""
        if not legs:
            return []
        known = self._known.of(self._collection)
        if known is None:
            return [_found(leg) for leg in await self._answer(self._wire.nearest(legs, _WHOLE))]
        near = await self._answer(self._wire.nearest(legs, ()))
        unknown = {point.id for leg in near for point in leg if point.id not in known}
        chunks: MutableMapping[str, Chunk] = ChainMap(await self._brought(unknown), known) if unknown else known
        return [[Found(point.id, chunks[point.id], point.score) for point in leg if point.id in chunks] for leg in near]

    async def _brought(self, unknown: Collection[str]) -> dict[str, Chunk]:
        """Read chunks that are not known: they were written since, or repaired."""
        points = await self._answer(self._wire.retrieve(sorted(unknown), _WHOLE))
        brought = {one.id: one.chunk for one in _found(points)}
        self._known.add(self._collection, brought)
        return brought

    async def of_blobs(self, blobs: Sequence[str], where: models.Filter) -> list[Found]:
        """Return chunks of blobs without their text, in no order; of very large files only a part."""
        chosen = both(any_of("blob", sorted(blobs)), where)
        points, _ = await self._answer(self._wire.page(chosen, _LIGHT, _CHUNKS_OF_FILES, None))
        return _found(points)

    async def chunks(self, where: models.Filter) -> AsyncIterator[list[Found]]:
        """Yield every matching chunk with its text, a page at a time, in the order of the ids."""
        offset: Any = None
        while True:
            points, offset = await self._answer(self._wire.page(where, _WHOLE, _CHUNKS_AT_ONCE, offset))
            yield _found(points)
            if offset is None:
                return

    async def count(self, where: models.Filter) -> int:
        """Return about how many points match, as the indexes of payloads tell it."""
        return (await self._answer(self._client.count(self._collection, count_filter=where, exact=False))).count

    async def ranges(self, blob: str) -> list[ChunkRange]:
        """Return the chunks of a blob in the order of their lines."""
        where = both(field("kind", CHUNK), field("blob", blob))
        found = [
            ChunkRange(str(point.id), point.payload["start_line"], point.payload["end_line"])
            async for page in self.pages(where, ["start_line", "end_line"], _CHUNKS_OF_FILES)
            for point in page
            if point.payload
        ]
        return sorted(found, key=lambda chunk: chunk.start_line)

    async def definitions(self, where: models.Filter, most: int) -> tuple[list[Defined], bool]:
        """Return what about so many chunks define, and whether these were all chunks."""
        found: list[Defined] = []
        seen = 0
        async for page in self.pages(where, ["blob", "start_line", "symbols"], _CHUNKS_OF_FILES):
            if seen >= most:
                return found, False
            seen += len(page)
            for payload in (point.payload for point in page if point.payload):
                if payload["symbols"]:
                    found.append(Defined(payload["blob"], payload["start_line"], tuple(payload["symbols"])))
        return found, True

    async def pages(self, where: models.Filter, payload: list[str], size: int) -> AsyncIterator[list[models.Record]]:
        """Yield every matching point, a page at a time, in the order of the ids."""
        offset: Any = None
        while True:
            call = self._client.scroll(
                self._collection, scroll_filter=where, limit=size, offset=offset, with_payload=payload
            )
            points, offset = await self._answer(call)
            yield list(points)
            if offset is None:
                return

    async def texts(self, ids: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return text and stored hash by point id; a point that is gone by now is left out."""
        points = await self._answer(self._wire.retrieve(ids, ["text", "text_sha256"]))
        return {point.id: (point.payload["text"], point.payload["text_sha256"]) for point in points if point.payload}

    async def _answer(self, call: Awaitable[T]) -> T:
        return await _translated(call, self._timeout)


def _found(points: Iterable[Point]) -> list[Found]:
    """Return the chunks of points; one that is gone by now says nothing."""
    return [Found(point.id, Chunk.of(point.payload), point.score) for point in points if point.payload]


async def _translated(call: Awaitable[T], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError:
        raise DependencyDown(QDRANT, "no answer in time") from None
    except ResponseHandlingException as error:
        raise _unanswered(error.source) from error
    except UnexpectedResponse as error:
        raise _refusal(error) from error
    except ValueError as error:  # the local mode of the client says it this way
        if "not found" in str(error):
            raise NothingIndexed from error
        raise IndexRefused(str(error)) from error


def _unanswered(source: Exception) -> DependencyDown:
    if isinstance(source, httpx.TimeoutException):
        return DependencyDown(QDRANT, "no answer in time")
    return DependencyDown(QDRANT, f"not reachable ({type(source).__name__})", unreachable=True)


def _refusal(error: UnexpectedResponse) -> Exception:
    status = error.status_code or 0
    if status == 404:
        return NothingIndexed()
    if status in (401, 403):
        return DependencyDown(QDRANT, f"refuses the key of this service ({status}); compare QDRANT_API_KEY")
    if status == 429 or status >= 500:
        return DependencyDown(QDRANT, f"answered {status}")
    return IndexRefused(f"qdrant answered {status}: {error.content[:200].decode(errors='replace')}")

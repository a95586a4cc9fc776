"""Chunks in memory, so that a search need not have Qdrant read and send each of them again.

A search looks at more than a hundred chunks, and to read, send and parse them was a third of its processor time. What
is kept here is what a point says, never who may see it: which ids a request gets is Qdrant's answer under the filter of
its permit, each time, and what is not in the served manifests is left out as before.
"""

from collections.abc import Collection, Mapping

from coderag_rag.query.chunk import Chunk


class KnownChunks:
    """Chunks of one collection by point id, within a bound of memory. Single-threaded: for one event loop.

    `complete`: all that are served are here. `alone`: next to nothing else is in the collection.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._clear("")

    def _clear(self, collection: str) -> None:
        self.collection, self.complete, self.alone, self.bytes = collection, False, False, 0
        self._chunks: dict[str, Chunk] = {}

    def __len__(self) -> int:
        return len(self._chunks)

    def of(self, collection: str) -> dict[str, Chunk] | None:
        """Return the chunks of a collection once all that are served are known; None before."""
        return self._chunks if self.complete and collection == self.collection else None

    def add(self, collection: str, found: Mapping[str, Chunk]) -> bool:
        """Keep these chunks too, if they are of this collection; False when there is no room for all of them."""
        for point, chunk in found.items() if collection == self.collection else ():
            if point not in self._chunks:
                if self.bytes + chunk.size > self._most:
                    return False
                self._chunks[point] = chunk
                self.bytes += chunk.size
        return True

    def keep(self, collection: str, blobs: Collection[str]) -> None:
        """Forget what is of another collection or of none of these blobs."""
        if collection != self.collection:
            self._clear(collection)
            return
        for point in [point for point, chunk in self._chunks.items() if chunk.blob not in blobs]:
            self.bytes -= self._chunks.pop(point).size

    def give_up(self) -> None:
        """Forget everything: an index that does not fit is read from Qdrant."""
        self._clear(self.collection)

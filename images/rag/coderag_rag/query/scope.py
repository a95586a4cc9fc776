"""What a request may look at: repositories, languages and paths, as a filter for Qdrant and as a test on places."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qdrant_client import models

from coderag_rag.query.globs import path_matcher
from coderag_rag.query.manifest import Place, Snapshot
from coderag_rag.store.filters import any_of, both, field
from coderag_rag.store.schema import CHUNK

# Beyond this many blobs the filter itself becomes the cost; paths are then only tested on what the legs return.
_MOST_BLOBS = 2000


@dataclass(frozen=True)
class Scope:
    """One request's view of the index."""

    snapshot: Snapshot
    conditions: tuple[models.Condition, ...]
    allows_path: Callable[[str], bool]
    by_path: bool

    @classmethod
    def build(
        cls, served: Snapshot, repositories: Sequence[str], languages: Sequence[str], paths: Sequence[str]
    ) -> "Scope":
        """Return the scope of a request; raises UnknownRepository or NothingIndexed."""
        snapshot = served.select(repositories)
        allows = path_matcher(paths)
        blobs = {blob for path, blob in snapshot.paths() if allows(path)} if paths else set()
        must: list[models.Condition] = [
            field("kind", CHUNK),
            any_of("repositories", sorted(snapshot.names)),
        ]
        if languages:
            must.append(any_of("language", sorted(name.lower() for name in languages)))
        if paths and len(blobs) <= _MOST_BLOBS:
            must.append(any_of("blob", sorted(blobs)))
        return cls(snapshot, tuple(must), allows, bool(paths))

    @property
    def where(self) -> models.Filter:
        """The filter for Qdrant."""
        return both(*self.conditions)

    def places(self, blob: str) -> list[Place]:
        """Return the places of a blob that this request may see."""
        return [place for place in self.snapshot.places(blob) if self.allows_path(place.path)]

    def with_symbols(self, symbols: Sequence[str]) -> models.Filter:
        """Return the filter narrowed to chunks that define one of the symbols."""
        return both(*self.conditions, any_of("symbols", symbols))

"""What a request may look at: repositories, refs, languages and paths, as a filter for Qdrant and a test on places.

Every leg gets the same filter, and every point that a leg returns is tested again on its places.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qdrant_client import models

from coderag_rag.query.access import EVERYTHING, Permit
from coderag_rag.query.globs import path_matcher
from coderag_rag.query.manifest import Place, Snapshot
from coderag_rag.store.filters import any_of, both, field
from coderag_rag.store.schema import CHUNK

# Beyond this many blobs the filter itself becomes the cost; places are then only tested on what the legs return.
_MOST_BLOBS = 2000


@dataclass(frozen=True)
class Filters:
    """What a request narrows itself to; empty means all."""

    repositories: Sequence[str] = ()
    languages: Sequence[str] = ()
    paths: Sequence[str] = ()
    refs: Sequence[str] = ()


@dataclass(frozen=True)
class Scope:
    """One request's view of the index. `whole`: it narrows nothing, all that is served may be found."""

    snapshot: Snapshot
    conditions: tuple[models.Condition, ...]
    allows_path: Callable[[str], bool]
    by_path: bool
    whole: bool = False

    @classmethod
    def build(cls, served: Snapshot, filters: Filters, permit: Permit = EVERYTHING) -> "Scope":
        """Return the scope of a request; raises UnknownRepository, UnknownRef or NothingIndexed."""
        seen = served.permitted(permit).select(filters.repositories)
        snapshot = seen.at(filters.refs)
        allows = path_matcher(filters.paths)
        must: list[models.Condition] = [
            field("kind", CHUNK),
            any_of("repositories", sorted(snapshot.names)),
        ]
        if filters.languages:
            must.append(any_of("language", sorted(name.lower() for name in filters.languages)))
        if filters.paths or snapshot != seen:
            must += _only_blobs(seen, snapshot, allows)
        whole = snapshot == served and not filters.paths and not filters.languages
        return cls(snapshot, tuple(must), allows, bool(filters.paths), whole)

    @property
    def where(self) -> models.Filter:
        """The filter for Qdrant."""
        return both(*self.conditions)

    def places(self, blob: str) -> Sequence[Place]:
        """Return the places of a blob that this request may see."""
        places = self.snapshot.places(blob)
        return [place for place in places if self.allows_path(place.path)] if self.by_path else places


def _only_blobs(seen: Snapshot, snapshot: Snapshot, allows: Callable[[str], bool]) -> list[models.Condition]:
    """Return the condition that names the blobs to search, or those to leave out, whichever is short enough."""
    wanted = {blob for path, blob in snapshot.paths() if allows(path)}
    if len(wanted) <= _MOST_BLOBS:
        return [any_of("blob", sorted(wanted))]
    others = {blob for _, blob in seen.paths()} - wanted
    return [models.Filter(must_not=[any_of("blob", sorted(others))])] if len(others) <= _MOST_BLOBS else []

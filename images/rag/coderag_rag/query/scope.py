"""What a request may look at: repositories, refs, languages and paths, as a filter for Qdrant and a test on places.

Every leg gets the same filter, and every point that a leg returns is tested again on its places.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

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
    """One request's view of the index: what its permit and repositories let it see, and of that what its refs name.

    `whole`: it narrows nothing, all that is served may be found.
    """

    seen: Snapshot
    snapshot: Snapshot
    filters: Filters
    allows_path: Callable[[str], bool]
    whole: bool

    @classmethod
    def build(cls, served: Snapshot, filters: Filters, permit: Permit = EVERYTHING) -> "Scope":
        """Return the scope of a request; raises UnknownRepository, UnknownRef or NothingIndexed."""
        seen = served.permitted(permit).select(filters.repositories)
        snapshot = seen.at(filters.refs)
        whole = snapshot == served and not filters.paths and not filters.languages
        return cls(seen, snapshot, filters, path_matcher(filters.paths), whole)

    @property
    def by_path(self) -> bool:
        """Whether the request names paths."""
        return bool(self.filters.paths)

    @cached_property
    def conditions(self) -> tuple[models.Condition, ...]:
        """What Qdrant tests of each point; made when first asked for, as a search that narrows nothing has no use."""
        must: list[models.Condition] = [
            field("kind", CHUNK),
            any_of("repositories", sorted(self.snapshot.names)),
        ]
        if self.filters.languages:
            must.append(any_of("language", sorted(name.lower() for name in self.filters.languages)))
        if self.filters.paths or self.snapshot != self.seen:
            must += _only_blobs(self.seen, self.snapshot, self.allows_path)
        return tuple(must)

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

"""What is served: for each repository at its ref the files of one commit, held in memory.

The manifest is the truth. Points of half-written or replaced generations exist in Qdrant, but a chunk whose blob is in
no manifest is never returned. Everything here is immutable: a request keeps one consistent view by keeping one value.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from coderag_rag.query.access import Permit
from coderag_rag.store.schema import ALIAS, Entry, HeadPayload


class UnknownRepository(Exception):  # noqa: N818 - reads as the state it names
    """A repository was asked for by a name that is not served."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        super().__init__(f"repository {name!r} is not served")
        self.name, self.known = name, sorted(known)


class UnknownRef(Exception):  # noqa: N818 - reads as the state it names
    """A ref was asked for that no repository in view is served at."""

    def __init__(self, ref: str, known: Collection[str]) -> None:
        super().__init__(f"ref {ref!r} is not served")
        self.ref, self.known = ref, sorted(known)


class NothingIndexed(Exception):  # noqa: N818 - reads as the state it names
    """No repository is served yet."""


class Place(NamedTuple):
    """Where a blob lies in a served commit."""

    repository: str
    ref: str
    commit: str
    path: str


@dataclass(frozen=True)
class Manifest:
    """One served commit: which blob is at which path, both ways round."""

    head: HeadPayload
    blob_of: Mapping[str, str]
    paths_of: Mapping[str, tuple[str, ...]]

    @classmethod
    def build(cls, head: HeadPayload, entries: Iterable[Entry]) -> "Manifest":
        """Return the manifest with these files."""
        blob_of = {entry.path: entry.blob for entry in entries}
        paths: dict[str, list[str]] = {}
        for path, blob in sorted(blob_of.items()):
            paths.setdefault(blob, []).append(path)
        return cls(head, blob_of, {blob: tuple(found) for blob, found in paths.items()})

    @property
    def version(self) -> tuple[object, ...]:
        """What changes whenever the content may have changed."""
        return version_of(self.head)

    @cached_property
    def by_name(self) -> Mapping[str, tuple[str, ...]]:
        """The paths by their last part, made when a query first names a file."""
        found: dict[str, list[str]] = {}
        for path in self.blob_of:
            found.setdefault(path.rpartition("/")[2], []).append(path)
        return {name: tuple(paths) for name, paths in found.items()}

    def places(self, blob: str) -> list[Place]:
        """Return every path of a blob in this commit."""
        paths, head = self.paths_of.get(blob), self.head
        return [Place(head.repository, head.ref, head.commit, path) for path in paths] if paths else []


def version_of(head: HeadPayload) -> tuple[object, ...]:
    """Return what tells one served state of a repository from another."""
    return (head.identity, head.generation, head.fence, head.commit)


@dataclass(frozen=True)
class Snapshot:
    """All served manifests at one moment, ordered by repository and ref.

    `kept`: it outlives the request, so that a map over all its blobs pays. A search asks for the places of two hundred
    blobs, and to ask each of many manifests was a quarter of its time.
    """

    manifests: tuple[Manifest, ...] = ()
    kept: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, manifests: Iterable[Manifest]) -> "Snapshot":
        """Return a snapshot in its one order, to be kept."""
        return cls(tuple(sorted(manifests, key=lambda item: (item.head.repository, item.head.ref))), kept=True)

    @cached_property
    def _places(self) -> Mapping[str, tuple[Place, ...]]:
        found: dict[str, tuple[Place, ...]] = {}
        for manifest in self.manifests:
            for blob in manifest.paths_of:
                found[blob] = (*found.get(blob, ()), *manifest.places(blob))
        return found

    @property
    def collection(self) -> str:
        """The collection that the manifests are of: the alias may name the next one while a request is under way."""
        return self.manifests[0].head.collection if self.manifests else ALIAS

    @property
    def names(self) -> frozenset[str]:
        """The names of the served repositories."""
        return frozenset(item.head.repository for item in self.manifests)

    def permitted(self, permit: Permit) -> "Snapshot":
        """Return the part that a permit allows; to the request the rest does not exist."""
        if permit.names is None:
            return self
        return Snapshot(tuple(item for item in self.manifests if permit.allows(item.head.repository)))

    def at(self, refs: Collection[str]) -> "Snapshot":
        """Return the part that is served at these refs, each repository's own ref for none; raises UnknownRef."""
        known = {item.head.ref for item in self.manifests}
        if unknown := sorted(set(refs) - known):
            raise UnknownRef(unknown[0], known)
        if not refs and all(item.head.default for item in self.manifests):
            return self  # the view that is kept over requests
        return Snapshot(
            tuple(item for item in self.manifests if (item.head.ref in refs if refs else item.head.default))
        )

    def select(self, repositories: Collection[str] | None) -> "Snapshot":
        """Return the part that a request may see; raises when there is none or a name is not served."""
        if not self.manifests:
            raise NothingIndexed
        unknown = sorted(set(repositories or ()) - self.names)
        if unknown:
            raise UnknownRepository(unknown[0], self.names)
        if not repositories:
            return self
        return Snapshot(tuple(item for item in self.manifests if item.head.repository in repositories))

    def places(self, blob: str) -> tuple[Place, ...]:
        """Return every served place of a blob; empty when it is not served."""
        if self.kept:
            return self._places.get(blob, ())
        return tuple(place for manifest in self.manifests for place in manifest.places(blob))

    def named(self, name: str) -> Iterable[tuple[str, str]]:
        """Return every served (path, blob) whose path ends with this file name."""
        return ((path, item.blob_of[path]) for item in self.manifests for path in item.by_name.get(name, ()))

    def paths(self) -> Iterable[tuple[str, str]]:
        """Return every served (path, blob)."""
        return (item for manifest in self.manifests for item in manifest.blob_of.items())

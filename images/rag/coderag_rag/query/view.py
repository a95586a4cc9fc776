"""One served commit that a request names, and the way to read from it: under the breaker and within the deadline."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from coderag_rag.query.access import Permit
from coderag_rag.query.effort import Effort, any_failure
from coderag_rag.query.guard import Breaker, DependencyDown
from coderag_rag.query.manifest import Manifest, Snapshot
from coderag_rag.query.reader import QDRANT

T = TypeVar("T")


class AmbiguousRef(Exception):  # noqa: N818 - reads as the state it names
    """A repository is served at several refs and none was named."""

    def __init__(self, repository: str, known: Collection[str]) -> None:
        super().__init__(f"repository {repository!r} is served at several refs")
        self.known = sorted(known)


@dataclass(frozen=True)
class Commit:
    """Which served commit is meant: a repository, and its ref where there is more than one."""

    repository: str
    ref: str | None
    permit: Permit

    def among(self, served: Snapshot) -> Manifest:
        """Return its manifest; raises UnknownRepository, UnknownRef, AmbiguousRef or NothingIndexed."""
        found = served.permitted(self.permit).select([self.repository]).at([self.ref] if self.ref else [])
        if len(found.manifests) > 1:
            raise AmbiguousRef(self.repository, [item.head.ref for item in found.manifests])
        return found.manifests[0]


async def guarded(qdrant: Breaker, effort: Effort, look_up: Callable[[], Awaitable[T]]) -> T:
    """Read from Qdrant, once more where it is worth it; raises DependencyDown when the time is over."""
    try:
        async with effort.deadline.cut():
            return await qdrant.call(look_up, partial(effort.retrying, any_failure))
    except TimeoutError:
        raise DependencyDown(QDRANT, "the read was not complete in time") from None

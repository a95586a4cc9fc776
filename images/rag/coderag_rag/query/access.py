"""Which repositories a request may know of. Every query runs through one of these, and every cache is keyed by it.

A repository that is not permitted does not exist for the request: it is in no hit, no list, no count and no error.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Permit:
    """The permitted repositories by name; None permits all. Hashable, so that it can be part of a cache's key."""

    names: frozenset[str] | None = None

    @classmethod
    def only(cls, names: Iterable[str]) -> "Permit":
        """Return the permit for these repositories and no other."""
        return cls(frozenset(names))

    def allows(self, repository: str) -> bool:
        """Whether a repository may be known of."""
        return self.names is None or repository in self.names


EVERYTHING = Permit()

"""What one sync is about: a repository by name at one of its refs, and which files of it."""

from dataclasses import dataclass
from typing import NamedTuple

from coderag_rag.git.repository import Repository
from coderag_rag.ingestion.wanted import EVERYTHING, Wanted
from coderag_rag.store.schema import HeadPayload


class Key(NamedTuple):
    """Names a source."""

    name: str
    ref: str


@dataclass(frozen=True)
class Source:
    """A repository at a ref. `refs` are all that are configured for it, the default one first."""

    name: str
    ref: str
    repository: Repository
    wanted: Wanted = EVERYTHING
    refs: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """The name of this source."""
        return Key(self.name, self.ref)

    @property
    def default(self) -> bool:
        """Whether this is the ref that is searched when none is named."""
        return not self.refs or self.ref == self.refs[0]

    def replaces(self, head: HeadPayload) -> bool:
        """Whether a head goes once this source is served: its own, and with the default ref those not configured."""
        if head.repository != self.name:
            return False
        return head.ref == self.ref or (self.default and head.ref not in self.refs)

    def up_to_date(self, head: HeadPayload | None, commit: str) -> bool:
        """Whether a head already serves this commit with the same choice of files and in the same role."""
        if head is None:
            return False
        return (head.commit, head.selection, head.default) == (commit, self.wanted.key, self.default)

"""Which files of a repository are wanted: folders, patterns to take, and patterns to leave out."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property

from coderag_rag.query.globs import path_matcher


@dataclass(frozen=True)
class Wanted:
    """A choice of files. Everything empty means the whole tree; what is excluded is excluded whatever else says."""

    paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What tells one choice from another; empty for the whole tree."""
        if self == Wanted():
            return ""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def leaves_out(self, path: str) -> str:
        """Return why a path is not wanted, or nothing."""
        if self.paths and not any(path == folder or path.startswith(folder + "/") for folder in self.paths):
            return "outside of the chosen paths"
        if not self._included(path):
            return "not included by a pattern"
        return "excluded by a pattern" if self.exclude and self._excluded(path) else ""

    @cached_property
    def _included(self) -> Callable[[str], bool]:
        return path_matcher(self.include)

    @cached_property
    def _excluded(self) -> Callable[[str], bool]:
        return path_matcher(self.exclude)


EVERYTHING = Wanted()

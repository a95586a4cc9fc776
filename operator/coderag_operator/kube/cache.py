"""What this process knows about one stack beyond the watches: what it applied, what it just wrote, what was refused.

All of it may be lost at any time: a fresh process applies everything once more, which changes nothing.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coderag_operator.errors import Failure
from coderag_operator.observed.child import Child, Live, project

Name = tuple[str, str]  # kind, name
SETTLE_SECONDS = 5.0  # how long a fresh object may be missing from the watch before its absence is believed
REFUSAL_SECONDS = 600.0  # how long a refused object is not sent again unchanged


@dataclass
class Memory:
    """The memory of one stack; only the worker that holds the stack touches it."""

    clock: Callable[[], float] = time.monotonic
    applied: dict[Name, tuple[str, str]] = field(default_factory=dict)  # revision, digest of the body
    _written: dict[Name, tuple[Child, float]] = field(default_factory=dict)
    _refused: dict[Name, tuple[str, str, Failure, float]] = field(default_factory=dict)
    _stack: Mapping[str, Any] = field(default_factory=dict)

    def keep_applied(self, live: Live, digest: str) -> Child:
        """Remember an object as the API server returned it after an apply of this body."""
        child = project(live)
        self.applied[child.key] = (child.revision, digest)
        self._written[child.key] = (child, self.clock())
        self._refused.pop(child.key, None)
        return child

    def keep_created(self, live: Live) -> Child:
        """Remember an object that was created."""
        child = project(live)
        self._written[child.key] = (child, self.clock())
        return child

    def keep_changed(self, live: Live) -> Child:
        """Remember an object that was there and was patched; once the watch does not show it, it is gone."""
        child = project(live)
        self._written[child.key] = (child, -math.inf)
        return child

    def keep_deleted(self, child: Child) -> None:
        """Remember that an object was deleted, until the watch says so."""
        self.applied.pop(child.key, None)
        self._written[child.key] = (replace(child, deleting=True), self.clock())

    def keep_refused(self, key: Name, revision: str, digest: str, failure: Failure) -> None:
        """Remember that the API server refuses this body for the object at this revision."""
        self._refused[key] = (revision, digest, failure, self.clock() + REFUSAL_SECONDS)

    def find_refusal(self, key: Name, revision: str, digest: str) -> Failure | None:
        """Return why this body was refused before, when nothing has changed since."""
        revision_then, digest_then, failure, until = self._refused.get(key, ("", "", None, 0.0))
        same = (revision_then, digest_then) == (revision, digest)
        return failure if same and self.clock() < until else None

    def keep_stack(self, live: Live) -> None:
        """Remember the stack as the API server returned it after our status."""
        self._stack = live

    def read_stack(self, seen: Live) -> Live:
        """Return the stack as watched, with our own last status when the watch does not show it yet."""
        mine = self._stack.get("metadata", {})
        theirs = seen["metadata"]
        if mine.get("uid") == theirs["uid"] and is_older(theirs["resourceVersion"], mine["resourceVersion"]):
            return {**seen, "status": self._stack.get("status", {})}
        return seen

    def read_children(self, seen: Iterable[Child]) -> tuple[tuple[Child, ...], bool]:
        """Return the children as watched, corrected by our own writes; and whether some are not visible yet."""
        shown = {child.key: self._correct(child) for child in seen}
        hidden = {
            key: child for key, (child, at) in self._written.items() if key not in shown and self._fresh(child, at)
        }
        self._written = {key: value for key, value in self._written.items() if key in shown or key in hidden}
        self.applied = {key: value for key, value in self.applied.items() if key in shown or key in hidden}
        return (*shown.values(), *hidden.values()), bool(hidden)

    def _correct(self, child: Child) -> Child:
        written, _ = self._written.get(child.key, (child, 0.0))
        if is_older(child.version, written.version) or (written.deleting and child.version == written.version):
            return written
        self._written.pop(child.key, None)
        return child

    def _fresh(self, child: Child, at: float) -> bool:
        return not child.deleting and self.clock() - at < SETTLE_SECONDS


def is_older(version: str, than: str) -> bool:
    """Compare two resourceVersions of one object: ordered decimals (KEP-5504); anything else is never older."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)

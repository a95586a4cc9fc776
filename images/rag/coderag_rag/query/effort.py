"""How long and how often one request may try, from its first byte to its last.

A search has seconds: a connection error is worth one more try at once, everything else is told to the caller. An ask
has minutes: it goes through the whole retry schedule as long as that fits. Never both, and never one inside the other.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tenacity import AsyncRetrying

from coderag_rag.deadline import Deadline
from coderag_rag.query.guard import DependencyDown, KnownDown
from coderag_rag.retry import AT_ONCE, RetryPolicy

Worth = Callable[[DependencyDown], bool]


def any_failure(_error: DependencyDown) -> bool:
    """Worth another try: whatever happened. For reads of what nothing can replace."""
    return True


def surprise(error: DependencyDown) -> bool:
    """Worth another try: a dependency that was thought to be up. For what can be left out."""
    return not isinstance(error, KnownDown)


def nothing_sent(error: DependencyDown) -> bool:
    """Worth another try: a request that never left. For what must not be done twice."""
    return error.nothing_sent


def _unreachable(error: DependencyDown) -> bool:
    return error.unreachable


@dataclass(frozen=True)
class Effort:
    """What is left to one request. `optional` is the most that a part may take which the answer can do without."""

    deadline: Deadline
    optional: float
    schedule: RetryPolicy | None = None

    def retrying(self, worth: Worth, deadline: Deadline | None = None) -> AsyncRetrying:
        """Return the retry loop of this request for one dependency."""
        policy, only = (AT_ONCE, _unreachable) if self.schedule is None else (self.schedule, worth)
        return policy.retrying(DependencyDown, only=only, deadline=deadline or self.deadline)


@dataclass(frozen=True)
class Patience:
    """What every request of one kind may take; a schedule of None means one more try at once and no waiting."""

    seconds: float
    optional: float
    schedule: RetryPolicy | None = None

    def begin(self) -> Effort:
        """Return the effort of a request that begins now."""
        return Effort(Deadline.after(self.seconds), self.optional, self.schedule)

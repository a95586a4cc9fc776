"""Whether a model server gets anywhere: told from samples of its counters, never from how long an answer takes.

Builds of llama.cpp before August 2026 answer /metrics between two batches only, later ones answer through a decode
that hangs. So silence and an answer without movement count alike, and both only once they have lasted longer than the
slowest batch; a read that failed says nothing and starts the count anew.
"""

from dataclasses import dataclass, field
from enum import Enum


class Read(Enum):
    """How asking for the counters ended."""

    ANSWERED = "it answers"
    SILENT = "it does not answer"  # connected, and nothing came within the time for one read
    FAILED = "no connection, or an error"  # known about by other means
    REFUSED = "it does not know the key"


@dataclass(frozen=True, slots=True)
class Counters:
    """What a server says about its work: requests it holds, and counters that move with every batch and token."""

    held: int
    work: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known about a server's progress; `stuck_since` is when it stopped, None while it gets somewhere."""

    work: tuple[float, ...] = ()
    stuck_since: float | None = None

    def follow(self, read: Read, counters: Counters | None, began: float) -> "Progress":
        """Return what is known after a read that began at this time."""
        if read in (Read.FAILED, Read.REFUSED):
            return Progress()
        since = began if self.stuck_since is None else self.stuck_since
        if counters is None:
            return Progress(self.work, since)
        moves = counters.held == 0 or counters.work != self.work
        return Progress(counters.work, None if moves else since)


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the prober knows about one pod: since when it is stuck, and how many canaries in a row it has answered."""

    stuck_since: float | None = None
    canaries: int = 0
    trouble: str = field(default="")

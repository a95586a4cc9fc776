"""How many searches run at once. One more is refused at once and not queued.

A queue does not make a service faster: beyond capacity it only grows, until everybody in it has waited for an answer
that comes too late. A caller who is told to come back can go elsewhere, or wait where it costs nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

# At 100 searches a second, 64 under way are six times the time that a search may take: bursts fit, a jam does not.
MOST_AT_ONCE = 64


class TooManySearches(Exception):  # noqa: N818 - reads as the state it names
    """As many searches as may run at once are running."""

    retry_after = 1.0


class Admission:
    """Counts the searches under way."""

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self.most, self.running = most, 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a search for as long as the block lasts; raises TooManySearches."""
        if self.running >= self.most:
            raise TooManySearches(f"{self.most} searches are running")
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

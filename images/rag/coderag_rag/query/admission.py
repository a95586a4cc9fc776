"""How many searches run at once. One more is refused at once and not queued.

A queue does not make a service faster: beyond capacity it only grows, until everybody in it has waited for an answer
that comes too late. A caller who is told to come back can go elsewhere, or wait where it costs nothing.

How many fit depends on the machine, so the bound follows what searches take: each slow one lowers it by a tenth, each
other one raises it a little, as congestion control does.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# At 100 searches a second, 64 under way are six times the time that a search may take: bursts fit, a jam does not.
MOST_AT_ONCE, FEWEST_AT_ONCE = 64, 4
_SLOW = 1.0  # seconds; well below the deadline of a search, so that who is let in is answered
_LESS = 0.9


class TooManySearches(Exception):  # noqa: N818 - reads as the state it names
    """As many searches as may run at once are running."""

    retry_after = 1.0


class Admission:
    """Counts the searches under way."""

    def __init__(
        self, most: int = MOST_AT_ONCE, fewest: int = FEWEST_AT_ONCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most, self._fewest, self._clock = most, fewest, clock
        self.running, self._bound = 0, float(most)

    @property
    def bound(self) -> int:
        """How many may run now."""
        return min(self.most, int(self._bound))

    @contextmanager
    def one_more(self, *, judged: bool = True) -> Iterator[None]:
        """Count a search for as long as the block lasts; raises TooManySearches.

        `judged`: what it takes tells how many fit. Not so where it may wait for a dependency to come back.
        """
        if self.running >= self.bound:
            raise TooManySearches(f"{self.running} searches are running")
        self.running += 1
        begin = self._clock()
        try:
            yield
        finally:
            self.running -= 1
            if judged:
                self._learn(self._clock() - begin)

    def _learn(self, seconds: float) -> None:
        changed = self._bound * _LESS if seconds > _SLOW else self._bound + 1 / self._bound
        self._bound = min(float(self.most), max(float(self._fewest), changed))

"""A line every few seconds while bytes arrive, so that a download of gigabytes does not look dead."""

import time
from collections.abc import Callable

from coderag_model.logs import say

EVERY = 5.0
MIB = 1024 * 1024


class Progress:
    """Counts bytes of one transfer."""

    def __init__(self, done: int, total: int | None, now: Callable[[], float] = time.monotonic) -> None:
        self._done = self._before = done
        self._total = total
        self._now = now
        self._last = now()

    def add(self, size: int) -> None:
        """Count bytes; speak if it is time."""
        self._done += size
        elapsed = self._now() - self._last
        if elapsed >= EVERY:
            percent = round(100 * self._done / self._total, 1) if self._total else None
            rate = round((self._done - self._before) / MIB / elapsed, 1)
            say("downloading", bytes=self._done, total=self._total, percent=percent, mibPerSecond=rate)
            self._before, self._last = self._done, self._now()

"""One point in time that bounds everything a command does: waits, retries and transfers."""

import time
from collections.abc import Callable

from coderag_model.errors import FetchError


class Deadline:
    """The end of the time given."""

    def __init__(
        self, seconds: float, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._seconds = seconds
        self._now = now
        self._sleep = sleep
        self._end = now() + seconds

    def left(self) -> float:
        """Return the seconds that are left; raises when there are none."""
        left = self._end - self._now()
        if left <= 0:
            raise FetchError("Unreachable", f"not finished after {self._seconds:.0f} s", transient=True)
        return left

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the end."""
        self._sleep(min(seconds, self.left()))
        self.left()

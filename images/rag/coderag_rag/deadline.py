"""The moment by which a request must be answered, and what is left until then.

One value per request, handed to everything the request does: a timeout of its own in every layer adds up to more than
the caller was promised. It counts on the event loop's clock, so that it can cut what runs on that loop.
"""

import asyncio
from dataclasses import dataclass


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True)
class Deadline:
    """A moment on the event loop's clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline that is so many seconds away."""
        return cls(_now() + seconds)

    def within(self, seconds: float) -> "Deadline":
        """Return the earlier one: this deadline, or so many seconds from now."""
        return Deadline(min(self.at, _now() + seconds))

    def left(self) -> float:
        """Return the seconds until then, 0 when it has passed."""
        return max(0.0, self.at - _now())

    def allows(self, wait: float) -> bool:
        """Whether there is time for something after a wait."""
        return _now() + wait < self.at

    def cut(self) -> asyncio.Timeout:
        """Return a block that raises TimeoutError at this moment. It must not span a yield."""
        return asyncio.timeout_at(self.at)

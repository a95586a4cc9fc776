"""Calls to a dependency that may be down: one circuit breaker each, and how long a caller is willing to try.

A breaker opens when calls fail and is closed by the background probe, so recovery is bounded by the probe and not by
traffic, and while it is open nobody waits. Retries live here and nowhere else: every call is made once more at once
after a connection error (a kept-alive connection may be stale), and an ask has time for the whole schedule on top.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from coderag_rag.retry import RetryPolicy

T = TypeVar("T")

# For callers without time to wait: the breaker's own second attempt is all.
AT_ONCE = RetryPolicy(tries=1)


class DependencyDown(Exception):  # noqa: N818 - reads as the state it names
    """A dependency cannot answer now; trying again later can help."""

    def __init__(self, name: str, detail: str, retry_after: float = 2.0, *, unreachable: bool = False) -> None:
        super().__init__(f"{name}: {detail}")
        self.name, self.detail, self.retry_after, self.unreachable = name, detail, retry_after, unreachable


class Breaker:
    """Opens at once when a dependency cannot be reached, and after some other failures in a row."""

    def __init__(self, name: str, retry_after: float = 2.0, threshold: int = 3) -> None:
        self.name, self.retry_after = name, retry_after
        self._threshold, self._failures = threshold, 0
        self.detail = "not contacted yet"

    @property
    def is_open(self) -> bool:
        """Whether calls should fail at once."""
        return self._failures >= self._threshold

    @property
    def state(self) -> str:
        """The state as shown to people."""
        return "open" if self.is_open else "closed"

    def succeeded(self) -> None:
        """Note a call or probe that worked."""
        self._failures, self.detail = 0, "answers"

    def trip(self, detail: str) -> None:
        """Open now, until something succeeds."""
        self._failures, self.detail = self._threshold, detail

    def down(self) -> DependencyDown:
        """Return the error to raise for this dependency."""
        return DependencyDown(self.name, self.detail, self.retry_after)

    async def require_closed(self) -> None:
        """Raise DependencyDown while open: for work that would be wasted."""
        if self.is_open:
            raise self.down()

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make one call, or none while open; DependencyDown counts as a failure, everything else passes."""
        await self.require_closed()
        try:
            result = await _at_once_again(attempt)
        except DependencyDown as error:
            self._note(error)
            raise
        self.succeeded()
        return result

    def _note(self, error: DependencyDown) -> None:
        if error.unreachable:
            self.trip(error.detail)
        else:
            self._failures, self.detail = self._failures + 1, error.detail


async def _at_once_again(attempt: Callable[[], Awaitable[T]]) -> T:
    try:
        return await attempt()
    except DependencyDown as error:
        if not error.unreachable:
            raise
    return await attempt()

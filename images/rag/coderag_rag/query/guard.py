"""Calls to a dependency that may be down: one circuit breaker each.

A breaker opens when calls fail and is closed by the background probe, so recovery is bounded by the probe and not by
traffic, and while it is open nobody is sent there at once. Retries are the caller's (`Effort`); the breaker judges the
dependency by how the last try ended.
"""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

from tenacity import AsyncRetrying

T = TypeVar("T")


class DependencyDown(Exception):  # noqa: N818 - reads as the state it names
    """A dependency cannot answer now; trying again later can help.

    `unreachable`: the connection failed. `nothing_sent`: the dependency has certainly not seen the request.
    """

    def __init__(
        self,
        name: str,
        detail: str,
        retry_after: float = 2.0,
        *,
        unreachable: bool = False,
        nothing_sent: bool = False,
    ) -> None:
        super().__init__(f"{name}: {detail}")
        self.name, self.detail, self.retry_after = name, detail, retry_after
        self.unreachable, self.nothing_sent = unreachable, nothing_sent


class KnownDown(DependencyDown):
    """A dependency was not asked, because it is known to be down."""

    def __init__(self, name: str, detail: str, retry_after: float = 2.0) -> None:
        super().__init__(name, detail, retry_after, nothing_sent=True)


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

    def down(self) -> KnownDown:
        """Return the error to raise for this dependency without asking it."""
        return KnownDown(self.name, self.detail, self.retry_after)

    async def call(self, attempt: Callable[[], Awaitable[T]], retrying: Callable[[], AsyncRetrying] | None = None) -> T:
        """Make one call with these retries; DependencyDown is a failure, everything else passes.

        While open, the first try is refused unasked. One that has waited asks again: it is as good as a probe, and the
        last one must not fail only because the probe comes a moment later.
        """
        tries = count()

        async def guarded() -> T:
            if next(tries) == 0 and self.is_open:
                raise self.down()
            return await attempt()

        try:
            result = await _tried(guarded, retrying)
        except KnownDown:
            raise
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


async def _tried(attempt: Callable[[], Awaitable[T]], retrying: Callable[[], AsyncRetrying] | None) -> T:
    """Call, and begin the loop of retries only after a failure: around a call that works it costs more than it does."""
    try:
        return await attempt()
    except DependencyDown as error:
        if retrying is None:
            raise
        failures = [error]

    async def again() -> T:
        if failures:  # the loop's first try was made already
            raise failures.pop()
        return await attempt()

    return await retrying()(again)

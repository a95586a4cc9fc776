"""Waiting for something to become true, as scenarios do it: it happens, or the message says what did not."""

from collections.abc import Callable

from e2e.cluster.waiting import wait_until as holds


def wait_until(check: Callable[[], object], what: str, seconds: float = 60, pause: float = 0.5) -> None:
    """Return as soon as a check holds; raise and name what did not happen when the time is up."""
    if not holds(lambda: bool(check()), seconds, pause):
        raise AssertionError(f"{what} did not happen in {seconds} s")

"""Waiting for something to become true, as scenarios do it: it happens, or the message says what did not."""

import time
from collections.abc import Callable


def wait_until(check: Callable[[], object], what: str, seconds: float = 60, pause: float = 0.5) -> None:
    """Return as soon as a check holds; raise and name what did not happen when the time is up."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen in {seconds} s")
        time.sleep(pause)

"""File locks: two commands that build or start the same thing wait for each other instead of both doing half of it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.progress import say


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock; the kernel drops it when the process dies, so an interrupted run blocks nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that is busy with {what}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield

"""File locks: two commands that build or start the same thing wait for each other instead of both doing half of it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from e2e.cluster.progress import say


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock; the kernel drops it when the process dies, so an interrupted run blocks nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = acquire(path, what)
    while not current(path, handle):  # its last holder removed the file while we waited for it
        handle.close()
        handle = acquire(path, what)
    with handle:
        yield


def acquire(path: Path, what: str) -> TextIO:
    """The locked file, after waiting for whoever holds it."""
    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another run that is busy with {what}")
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def current(path: Path, handle: TextIO) -> bool:
    """Is the locked file still the one at that path?"""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False

"""What a person sees while something takes minutes: short lines on stderr, so that stdout stays for answers."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print one progress line."""
    print(text, file=sys.stderr, flush=True)


def elapsed(seconds: float) -> str:
    """A duration as a person writes it."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


@contextmanager
def ticking(what: str, every: float = 10.0) -> Iterator[None]:
    """Say `what` now, again with the time so far every few seconds, and how long it took at the end."""
    start, done = time.monotonic(), threading.Event()

    def tick() -> None:
        while not done.wait(every):
            say(f"  … {what}: {elapsed(time.monotonic() - start)}")

    say(what)
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    say(f"  {what}: done in {elapsed(time.monotonic() - start)}")

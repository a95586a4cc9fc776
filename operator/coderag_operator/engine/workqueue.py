"""A coalescing queue of stacks to look at, with client-go's semantics: one worker per key, never a lost wake-up."""

import asyncio
import random
from collections.abc import Callable

Key = tuple[str, str]
BASE_SECONDS = 1.0
CAP_SECONDS = 300.0


class WorkQueue:
    """Keys wait here until a worker is free; a key that is being worked on waits until that worker is done."""

    def __init__(
        self, *, base: float = BASE_SECONDS, cap: float = CAP_SECONDS, rng: Callable[[], float] = random.random
    ) -> None:
        self._base, self._cap, self._rng = base, cap, rng
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._dirty: set[Key] = set()  # has to be looked at (again)
        self._active: set[Key] = set()  # a worker is on it
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        """Return how many keys wait for a worker."""
        return len(self._dirty)

    def add(self, key: Key) -> None:
        """Have the key looked at soon; adding it again before that changes nothing."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._active:
            self._ready.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Have the key looked at in a while; of two timers of a key the earlier one counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        waiting = self._timers.get(key)
        if waiting is not None:
            if waiting.when() <= due:
                return
            waiting.cancel()
        self._timers[key] = loop.call_at(due, self._fire, key)

    def retry(self, key: Key, at_least: float = 0.0) -> float:
        """Have a key that failed looked at again: later each time, with jitter. Returns the delay."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._cap, self._base * 2.0 ** min(failures, 20)) * (0.5 + self._rng() / 2)
        delay = max(delay, at_least)
        self.add_after(key, delay)
        return delay

    def failures(self, key: Key) -> int:
        """Return how many passes over a key have failed in a row."""
        return self._failures.get(key, 0)

    def forget(self, key: Key) -> None:
        """Forget the failures of a key: its last pass went well."""
        self._failures.pop(key, None)

    def drop(self, key: Key) -> None:
        """Forget everything about a key whose object is gone, so that nothing is kept for it."""
        self.forget(key)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def get(self) -> Key:
        """Wait for a key to work on; `done` has to follow."""
        key = await self._ready.get()
        self._dirty.discard(key)
        self._active.add(key)
        return key

    def done(self, key: Key) -> None:
        """End the work on a key; if it was added in the meantime, it is ready again."""
        self._active.discard(key)
        if key in self._dirty:
            self._ready.put_nowait(key)

    def _fire(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)

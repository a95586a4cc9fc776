"""Lets calls that fail at the same moment go on one after another, the oldest first, as fast as this process keeps up.

When a model server that hung is replaced, every call that waited for it fails at once, and LiteLLM takes tens of
milliseconds of its one core to ask the other model for each. Requests that come after that would wait for all of them.
So the next failure goes on only when the event loop is on time again: newcomers are served in between, and the call
that has waited longest goes first.
"""

import asyncio
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count

TICK = 0.05  # how often the event loop is looked at; seconds
LATE = 0.01  # a tick that comes later than this shows a loop with work to do
LONGEST = 0.15  # between two calls: a loop that is never on time holds nobody up for good
HELD = 1.0  # a call that failed sooner was refused and not held: those come one by one, and go on at once; seconds
PATIENCE = 10.0  # of one call, after which it goes on out of turn


class Turns:
    """Who may go on. Lives on one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._caller: asyncio.Task[None] | None = None

    async def take(self, since: float) -> None:
        """Wait for this call's turn; `since` is when it began. A failure by itself goes on at once."""
        loop = asyncio.get_running_loop()
        if loop.time() - since < HELD:
            return
        if self._caller is None:
            self._caller = asyncio.create_task(self._call())
            return
        turn = loop.create_future()
        heappush(self._waiting, (since, next(self._numbers), turn))
        with suppress(TimeoutError):
            await asyncio.wait_for(turn, PATIENCE)

    async def _call(self) -> None:
        """Call one after another until nobody waits."""
        await calm()
        while self._waiting:
            _, _, turn = heappop(self._waiting)
            if not turn.done():  # its caller may have gone
                turn.set_result(None)
                await calm()
        self._caller = None


async def calm() -> None:
    """Return when the event loop is on time, or after a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LONGEST
    while (before := loop.time()) < end:
        await asyncio.sleep(TICK)
        if loop.time() - before < TICK + LATE:
            return

"""Leases in Qdrant: one writer for a repository at a time, and a number by which a late writer is refused.

A lease is a point that its holder renews. Nobody compares clocks of two machines: a lease is over when its `beat` has
not moved for a while by the watcher's own clock. Whoever takes it gets a higher number and stamps it on the heads of
the repository, so that a former holder that wakes up cannot write them any more.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from dataclasses import field as attribute

from qdrant_client import models

from coderag_rag.store.calls import Calls, StoreError
from coderag_rag.store.filters import both, field
from coderag_rag.store.manifest import LostRace, claim_heads
from coderag_rag.store.schema import LeasePayload, lease_id

logger = logging.getLogger(__name__)


class LeaseTaken(StoreError):  # noqa: N818 - reads as the state it names
    """Another writer holds the lease and is alive, as far as can be seen yet."""


@dataclass(frozen=True)
class Timing:
    """How long a silent holder keeps its lease, and how often a holder says that it is alive. Seconds."""

    lasts: float = 30.0
    beats: float = 10.0


@dataclass
class Leases:
    """The leases as one writer sees them. `owner` is the same after a restart of the same pod; `nonce` is not."""

    owner: str
    nonce: str
    timing: Timing = Timing()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    _seen: dict[tuple[str, str], tuple[LeasePayload, float]] = attribute(default_factory=dict)

    async def acquire(self, call: Calls, collection: str, repository: str) -> "Lease":
        """Take the lease of a repository; raises LeaseTaken while another writer holds it."""
        found = await _read(call, collection, repository)
        if found and found.holder and not self._free(collection, found):
            raise LeaseTaken(f"another worker ({found.owner}) is writing {repository}: trying again soon")
        number = found.number if found else 0
        mine = LeasePayload(repository, self.owner, self.nonce, number + 1, 0)
        await _write(call, collection, mine, found)
        if await _read(call, collection, repository) != mine:
            raise LeaseTaken(f"another worker has just taken {repository}: trying again soon")
        await claim_heads(call, collection, repository, mine.number)
        return Lease(call, collection, mine, self)

    def _free(self, collection: str, found: LeasePayload) -> bool:
        """Whether the holder is this pod before its restart, or has been silent for long enough."""
        if found.owner == self.owner:
            return True
        key = (collection, found.repository)
        before, since = self._seen.get(key, (None, 0.0))
        if before != found:
            self._seen[key] = (found, self.clock())
            return False
        return self.clock() - since >= self.timing.lasts

    @asynccontextmanager
    async def held(self, call: Calls, collection: str, repository: str) -> AsyncIterator["Lease"]:
        """Hold the lease for a block, which is ended with LostRace when somebody else takes it meanwhile."""
        lease = await self.acquire(call, collection, repository)
        beating = asyncio.create_task(lease.keep(asyncio.current_task()))
        try:
            yield lease
        except asyncio.CancelledError:
            if lease.lost is None:
                raise
            if task := asyncio.current_task():
                task.uncancel()
            raise lease.lost from None
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
        await lease.release()


class Lease:
    """A lease that is held. `number` goes into the heads."""

    def __init__(self, call: Calls, collection: str, mine: LeasePayload, leases: Leases) -> None:
        self._call, self._collection, self._mine, self._leases = call, collection, mine, leases
        self._renewed = leases.clock()
        self.lost: LostRace | None = None

    @property
    def number(self) -> int:
        """The number of this lease, higher than that of every earlier one."""
        return self._mine.number

    async def check(self) -> None:
        """Raise LostRace unless the lease is still held; asks the store."""
        found = await _read(self._call, self._collection, self._mine.repository)
        if found is None or (found.number, found.holder) != (self._mine.number, self._mine.holder):
            raise LostRace(f"another worker took over {self._mine.repository}: this sync is void")

    async def keep(self, worker: "asyncio.Task[object] | None") -> None:
        """Say that the holder is alive until cancelled; a lost lease cancels the worker."""
        while True:
            await self._leases.sleep(self._leases.timing.beats)
            try:
                await self._renew(replace(self._mine, beat=self._mine.beat + 1))
            except LostRace as error:
                self._give_up(error, worker)
                return
            except StoreError as error:
                if self._leases.clock() - self._renewed >= self._leases.timing.lasts:
                    self._give_up(LostRace(f"the lease could not be renewed: {error}"), worker)
                    return

    def _give_up(self, error: LostRace, worker: "asyncio.Task[object] | None") -> None:
        self.lost = error
        if worker:
            worker.cancel()

    async def _renew(self, wanted: LeasePayload) -> None:
        await _write(self._call, self._collection, wanted, self._mine)
        await self.check()
        self._mine, self._renewed = wanted, self._leases.clock()

    async def release(self) -> None:
        """Let the next writer begin at once; where that fails, it begins when the lease is over."""
        try:
            await _write(self._call, self._collection, replace(self._mine, holder=""), self._mine)
        except StoreError as error:
            logger.warning("a lease stays", extra={"repository": self._mine.repository, "reason": str(error)})


async def _read(call: Calls, collection: str, repository: str) -> LeasePayload | None:
    points = await call("retrieve", collection, ids=[lease_id(repository)], with_payload=True)
    return LeasePayload.from_payload(points[0].payload) if points else None


async def _write(call: Calls, collection: str, lease: LeasePayload, expected: LeasePayload | None) -> None:
    """Write a lease if the stored one is still the expected one; whether it was, the caller reads."""
    point = models.PointStruct(id=lease_id(lease.repository), vector={}, payload=lease.to_payload())
    known = expected or replace(lease, number=0, holder="nobody")
    unchanged = both(field("number", known.number), field("holder", known.holder), field("beat", known.beat))
    await call("upsert", collection, points=[point], wait=True, update_filter=unchanged)

"""Asks the ingestion workers of all stacks for the state of their index, in the background and never in a pass.

A stack is looked at again only when the answer has changed. A worker that does not answer is asked less and less often;
what it said last holds until it has been silent for a while.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import httpx

from coderag_operator.api import InvalidSpec, Stack, parse
from coderag_operator.clients.ingestion import TIMEOUT, Refused, Unavailable, read_status
from coderag_operator.desired import service_url
from coderag_operator.engine.keys import read_key
from coderag_operator.engine.store import Store
from coderag_operator.engine.workqueue import Key, WorkQueue
from coderag_operator.errors import Failure
from coderag_operator.kube.client import Kube
from coderag_operator.observed.components import read_component
from coderag_operator.observed.index import Index

log = logging.getLogger(__name__)
TICK = 1.0
BUSY_SECONDS, IDLE_SECONDS, PER_STACK_SECONDS, CAP_SECONDS = 5.0, 30.0, 0.25, 300.0
SILENT = 3  # failed probes in a row before the last report is no longer believed
CONCURRENT = 8
Ask = Callable[[str, str], Awaitable[Index]]


@dataclass
class Target:
    """What the prober keeps about one stack."""

    due: float = 0.0
    failures: int = 0
    index: Index | None = None
    key: str = ""


class Prober:
    """Asks every stack's worker in turn; the event loop reads the answers with `report`."""

    def __init__(self, store: Store, queue: WorkQueue, kube: Kube, pool: Executor, ask: Ask | None = None) -> None:
        self._store, self._queue, self._kube, self._pool = store, queue, kube, pool
        self._client: httpx.AsyncClient | None = None
        self._ask = ask or self._ask_http
        self._targets: dict[Key, Target] = {}

    def report(self, key: Key) -> Index | None:
        """Return what the worker of a stack said last, None while it has not been asked."""
        target = self._targets.get(key)
        return target.index if target else None

    def forget(self, key: Key) -> None:
        """Forget a stack that is gone."""
        self._targets.pop(key, None)

    async def run(self) -> None:
        """Probe for ever."""
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False, follow_redirects=False) as self._client:
            while True:
                await self.probe_due(asyncio.get_running_loop().time())
                await asyncio.sleep(TICK)

    async def probe_due(self, now: float) -> None:
        """Probe the stacks whose time has come, a few at once."""
        due = [key for key in self._store if key not in self._targets or self._targets[key].due <= now]
        turns = asyncio.Semaphore(CONCURRENT)

        async def take_turn(key: Key) -> None:
            async with turns:
                await self._probe(key, self._targets.setdefault(key, Target()), now)

        await asyncio.gather(*map(take_turn, due))

    async def _probe(self, key: Key, target: Target, now: float) -> None:
        stack = self._find(key)
        if stack is None:  # nothing to ask, or nobody who could answer
            target.due = now + BUSY_SECONDS
            return
        before = target.index
        try:
            target.index = await self._read(stack, target)
            target.failures = 0
        except (Unavailable, Refused, Failure) as error:
            target.failures += 1
            log.debug("Ingestion did not answer", extra={"stack": "/".join(key), "reason": type(error).__name__})
            if target.failures >= SILENT:
                target.index = Index(reachable=False)
        target.due = now + self._wait(stack, target)
        if target.index != before:
            self._queue.add(key)

    def _find(self, key: Key) -> Stack | None:
        """Return the stack if it has repositories and an ingestion pod that can be asked."""
        body = self._store.stack(key)
        if body is None or not (body.get("spec") or {}).get("repositories"):  # cheap, and true of most of the idle ones
            return None
        if not read_component("ingestion", self._store.children(key)).serving:
            return None
        try:
            return parse(body)
        except InvalidSpec:
            return None

    def _wait(self, stack: Stack, target: Target) -> float:
        if target.failures:
            return float(min(CAP_SECONDS, BUSY_SECONDS * 2 ** min(target.failures - 1, 10)))
        reported = {one.name for one in target.index.repositories if one.state == "Served"} if target.index else set()
        settled = reported.issuperset(one.name for one in stack.spec.repositories)
        return max(IDLE_SECONDS, len(self._store) * PER_STACK_SECONDS) if settled else BUSY_SECONDS

    async def _read(self, stack: Stack, target: Target) -> Index:
        base = service_url(stack, "ingestion")
        known = bool(target.key)
        target.key = target.key or await self._read_key(stack)
        try:
            return await self._ask(base, target.key)
        except Refused:
            target.key = ""
            if not known:
                raise
        target.key = await self._read_key(stack)  # the Secret has changed since
        return await self._ask(base, target.key)

    async def _read_key(self, stack: Stack) -> str:
        key = await read_key(self._kube, self._pool, stack, "api-key")
        if not key:
            raise Unavailable("there is no key to ask with")
        return key

    async def _ask_http(self, base: str, key: str) -> Index:
        if self._client is None:
            raise Unavailable("the prober is not running")
        return await read_status(self._client, base, key)

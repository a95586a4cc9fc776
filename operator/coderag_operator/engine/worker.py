"""Takes stacks from the queue and runs passes over them in threads, a bounded number at a time."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future

from coderag_operator.engine.metrics import Metrics
from coderag_operator.engine.model_prober import ModelProber
from coderag_operator.engine.prober import Prober
from coderag_operator.engine.recorder import Recorder
from coderag_operator.engine.store import Store
from coderag_operator.engine.workqueue import Key, WorkQueue
from coderag_operator.errors import Failure, Transient
from coderag_operator.kube.cache import Memory
from coderag_operator.reconcile import Outcome, Seen, Tools, reconcile

log = logging.getLogger(__name__)


class Workers:
    """Everything that a pass needs from the process, and what has to happen around one."""

    def __init__(
        self,
        tools: Tools,
        store: Store,
        queue: WorkQueue,
        prober: Prober,
        model_prober: ModelProber,
        recorder: Recorder,
        metrics: Metrics,
        pool: Executor,
        resync_seconds: float,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._tools, self._store, self._queue = tools, store, queue
        self._prober, self._model_prober = prober, model_prober
        self._recorder, self._metrics, self._pool = recorder, metrics, pool
        self._resync_seconds, self._rng = resync_seconds, rng
        self._memories: dict[Key, Memory] = {}
        self._running: set[Future[Outcome]] = set()

    async def run(self) -> None:
        """Work for ever. A failed pass is tried again; a failed worker is a bug and ends the process."""
        while True:
            key = await self._queue.get()
            try:
                await self.look(key)
            finally:
                self._queue.done(key)
                self._metrics.depth.set(len(self._queue))

    async def look(self, key: Key) -> None:
        """Run one pass over a stack and decide when the next one is due."""
        body = self._store.stack(key)
        if body is None:
            self._forget(key)
            return
        memory = self._memories.setdefault(key, Memory())
        failures = self._queue.failures(key)
        children = self._store.children(key)
        pulses = self._model_prober.pulses(children)
        seen = Seen(body, children, memory, self._prober.report(key), failures, pulses, bool(self._store.model_pods()))
        try:
            outcome = await self._run(seen)
        except Failure as failure:
            self._fail(key, failure)
        except Exception:
            log.exception("Pass failed", extra={"stack": "/".join(key)})
            self._metrics.errors.labels("Unexpected").inc()
            self._queue.retry(key)
        else:
            self._settle(key, outcome)

    async def drain(self, seconds: float) -> bool:
        """Wait for passes that are still running in threads; tell whether all of them ended."""
        running = [asyncio.wrap_future(future) for future in self._running]
        if not running:
            return True
        _, late = await asyncio.wait(running, timeout=seconds)
        return not late

    async def _run(self, seen: Seen) -> Outcome:
        future = self._pool.submit(self._pass, seen)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(future)

    def _pass(self, seen: Seen) -> Outcome:
        started = time.perf_counter()
        try:
            outcome = reconcile(self._tools, seen)
        finally:
            self._metrics.duration.observe(time.perf_counter() - started)
        self._recorder.post(seen.body, outcome.notices)
        return outcome

    def _settle(self, key: Key, outcome: Outcome) -> None:
        self._metrics.count(key, outcome)
        self._metrics.stacks.set(len(self._store))
        if outcome.applied or outcome.deleted or outcome.status_written:
            extra = {"applied": outcome.applied.total(), "deleted": outcome.deleted.total()}
            log.info("Reconciled CodeRagStack", extra={"stack": "/".join(key), **extra})
        if outcome.failure is not None:
            self._fail(key, outcome.failure)
            return
        self._queue.forget(key)
        resync = self._resync_seconds * (0.9 + 0.2 * self._rng())
        self._queue.add_after(key, min(outcome.requeue_after or resync, resync))

    def _fail(self, key: Key, failure: Failure) -> None:
        at_least = (failure.retry_after or 0.0) if isinstance(failure, Transient) else 0.0
        delay = self._queue.retry(key, at_least)
        self._metrics.errors.labels(failure.reason).inc()
        detail = {"reason": failure.reason, "detail": failure.message, "retry_in": round(delay, 1)}
        log.warning("Pass will be tried again", extra={"stack": "/".join(key), **detail})

    def _forget(self, key: Key) -> None:
        self._memories.pop(key, None)
        self._queue.drop(key)
        self._prober.forget(key)
        self._metrics.forget(key)
        self._metrics.stacks.set(len(self._store))

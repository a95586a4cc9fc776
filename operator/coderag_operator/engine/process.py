"""The life of the process: health first, then the Lease, then watches and workers; backwards at the end.

Nothing is written before the Lease is held, and the Lease is given back only after the last write. Losing it ends the
process at once, without asking the threads that are still writing.
"""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, cast

import kopf
from aiohttp import web

from coderag_operator.engine import audit, handlers
from coderag_operator.engine.health import LEADING, STANDBY, STOPPING, SYNCING, Health, serve_metrics, start_server
from coderag_operator.engine.inspector import Inspector
from coderag_operator.engine.leader import Leader
from coderag_operator.engine.metrics import Metrics
from coderag_operator.engine.model_prober import ModelProber
from coderag_operator.engine.prober import Prober
from coderag_operator.engine.recorder import Recorder
from coderag_operator.engine.store import Store
from coderag_operator.engine.worker import Workers
from coderag_operator.engine.workqueue import WorkQueue
from coderag_operator.errors import Failure, Vanished
from coderag_operator.kube.api import ApiKube, load_configuration
from coderag_operator.kube.kinds import STACK, WATCHED, Kind
from coderag_operator.reconcile import Tools
from coderag_operator.settings import Settings

log = logging.getLogger(__name__)
EXTRA_THREADS = 2  # for the prober's keys and the audit
DRAIN_SECONDS = 20.0
KOPF_SECONDS = 8.0
WAIT_SECONDS = 2.0


class Process:
    """One operator process."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.health, self.metrics = settings, Health(), Metrics()
        threads = settings.workers + EXTRA_THREADS
        self.kube = ApiKube(load_configuration(connections=threads + 1))
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="pass")
        self.leader = Leader(self.kube, settings.pod_namespace, settings.lease_name, settings.pod_name)
        self.store, self.queue = Store(), WorkQueue()
        self.prober = Prober(self.store, self.queue, self.kube, self.pool)
        self.model_prober = ModelProber(self.store, self.queue, self.kube, self.pool)
        self.workers = Workers(
            Tools(self.kube, settings.images, machines=Inspector(self.kube)), self.store, self.queue,
            self.prober, self.model_prober, Recorder(self.kube, settings.pod_name), self.metrics, self.pool,
            settings.resync_seconds,
        )  # fmt: skip
        self.stop, self.leading = asyncio.Event(), asyncio.Event()
        self.kinds: tuple[Kind, ...] = WATCHED

    async def run(self) -> int:
        """Run until told to stop; returns the exit code."""
        servers = await self._start_servers()
        try:
            return await self._compete()
        finally:
            for server in servers:
                await server.cleanup()
            self.pool.shutdown(wait=False)
            self.kube.close()

    async def _compete(self) -> int:
        loop = asyncio.get_running_loop()
        self._hear_signals(loop)
        self.health.phase = STANDBY
        gained = lambda: loop.call_soon_threadsafe(self.leading.set)  # noqa: E731
        thread = threading.Thread(target=self.leader.run, args=(gained, die), name="leader", daemon=True)
        thread.start()
        await first(self.leading.wait(), self.stop.wait())
        if self.stop.is_set():
            self.leader.stop()
            await asyncio.to_thread(thread.join, DRAIN_SECONDS)
            await asyncio.to_thread(self.leader.release)  # it may have been taken at this very moment
            return 0
        log.info("Took the Lease", extra={"lease": self.settings.lease_name, "identity": self.settings.pod_name})
        self.metrics.leader.set(1)
        return await self._lead()

    async def _lead(self) -> int:
        self.health.phase = SYNCING
        expected = await self._wait_for_definition()
        self.kinds = await self._find_kinds()
        if expected == 0:
            self.health.phase = LEADING
        stop_kopf = asyncio.Event()
        kopf_tasks = await self._spawn_kopf(stop_kopf)
        tasks = {
            asyncio.create_task(kopf.run_tasks(kopf_tasks, ignored=await others(kopf_tasks)), name="kopf"),
            asyncio.create_task(self.prober.run(), name="prober"),
            asyncio.create_task(self.model_prober.run(), name="model prober"),
            asyncio.create_task(self._audit(), name="audit"),
            *(asyncio.create_task(self.workers.run(), name=f"worker {n}") for n in range(self.settings.workers)),
        }
        stopped = asyncio.create_task(self.stop.wait(), name="stop")
        ended, _ = await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        failed = ended - {stopped}
        for task in failed:
            log.error("Task ended and the process with it", extra={"task": task.get_name()}, exc_info=task.exception())
        await self._shut_down(tasks, stop_kopf)
        return 1 if failed else 0

    async def _wait_for_definition(self) -> int:
        """Wait until the API server serves stacks (the CRD may come at the same time); return how many there are."""
        namespaces = self.settings.watch_namespaces
        while not self.stop.is_set():
            try:
                listed = await asyncio.to_thread(audit.list_uids, self.kube, STACK, namespaces, "")
                return sum(len(uids) for uids, _ in listed.values())
            except Vanished:
                log.warning("The API server knows no CodeRagStack yet: install the CRD")
            except Failure as failure:
                log.warning("Stacks cannot be listed", extra={"reason": failure.reason, "detail": failure.message})
            await first(self.stop.wait(), asyncio.sleep(WAIT_SECONDS))
        return 0

    async def _find_kinds(self) -> tuple[Kind, ...]:
        """Wait until the API server has said which kinds it knows."""
        while not self.stop.is_set():
            try:
                return await asyncio.to_thread(audit.find_served, self.kube, self.settings.watch_namespaces)
            except Failure as failure:
                log.warning("Children cannot be listed", extra={"reason": failure.reason, "detail": failure.message})
            await first(self.stop.wait(), asyncio.sleep(WAIT_SECONDS))
        return self.kinds

    async def _spawn_kopf(self, stop: asyncio.Event) -> Any:
        options, registry = kopf.OperatorSettings(), kopf.OperatorRegistry()
        handlers.configure(options)
        handlers.register(registry, self.store, self.queue.add, self._synced, self.kinds)
        names = self.settings.watch_namespaces
        tasks = await kopf.spawn_tasks(
            registry=registry,
            settings=options,
            identity=cast(Any, self.settings.pod_name),  # the default asks for the user's name, and uid 10001 has none
            standalone=True,
            clusterwide=not names,
            namespaces=names,
            stop_flag=stop,
        )
        self._hear_signals(asyncio.get_running_loop())  # kopf has set its own: passes have to end before the watches do
        return tasks

    def _synced(self) -> None:
        if self.health.phase == SYNCING:
            self.health.phase = LEADING
            log.info("Caches are filled", extra={"stacks": len(self.store)})

    async def _audit(self) -> None:
        while True:
            await asyncio.sleep(self.settings.resync_seconds)
            loop = asyncio.get_running_loop()
            try:
                listed = await loop.run_in_executor(
                    self.pool, audit.read_all, self.kube, self.settings.watch_namespaces, self.kinds
                )
            except Failure as failure:
                log.warning("Audit could not list", extra={"reason": failure.reason, "detail": failure.message})
                continue
            for key in audit.forget_ghosts(self.store, listed):
                self.queue.add(key)

    async def _shut_down(self, tasks: set[asyncio.Task[None]], stop_kopf: asyncio.Event) -> None:
        self.health.phase = STOPPING
        for task in tasks:
            if task.get_name() != "kopf":
                task.cancel()
        if await self.workers.drain(DRAIN_SECONDS):
            self.leader.stop()
            await asyncio.to_thread(self.leader.release)
            log.info("Released the Lease")
        else:
            log.error("A pass did not end in time; the Lease is left to expire")
        stop_kopf.set()
        await asyncio.wait(tasks, timeout=KOPF_SECONDS)

    async def _start_servers(self) -> list[web.AppRunner]:
        host = self.settings.listen_host
        routes = {"/healthz": self.health.live, "/readyz": self.health.ready}
        health, health_port = await start_server(host, self.settings.health_port, routes)
        registry = {"/metrics": serve_metrics(self.metrics.registry)}
        metrics, metrics_port = await start_server(host, self.settings.metrics_port, registry)
        log.info("Serving health and metrics", extra={"health_port": health_port, "metrics_port": metrics_port})
        return [health, metrics]

    def _hear_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)


async def others(mine: Any) -> frozenset[asyncio.Task[Any]]:
    """Return every task that kopf did not make: it cancels all the others when it ends."""
    return frozenset(asyncio.all_tasks() - set(mine))


async def first(*waiting: Coroutine[Any, Any, Any]) -> None:
    """Wait for whichever comes first."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def die() -> NoReturn:
    """End the process on the spot: another one may be writing already."""
    log.critical("Lost the Lease")
    logging.shutdown()
    os._exit(1)


async def run(settings: Settings) -> int:
    """Run one operator process."""
    return await Process(settings).run()

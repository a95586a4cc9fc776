"""Watches the model servers of all stacks: whether they get anywhere, and whether one that is to serve again can.

A pod that is Ready and hangs is seen by nobody else: the kubelet asks /health, which a hanging server may answer. A
stack is looked at again only on news: a server that is stuck, one that has passed its canaries, one that fails them.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

import httpx

from coderag_operator.api import InvalidSpec, Stack, parse
from coderag_operator.clients import llama
from coderag_operator.desired import PORTS, settle
from coderag_operator.desired.llama import model_file
from coderag_operator.desired.names import FACTS
from coderag_operator.desired.references import local_servers
from coderag_operator.engine.keys import read_key
from coderag_operator.engine.store import Store
from coderag_operator.engine.workqueue import Key, WorkQueue
from coderag_operator.errors import Failure
from coderag_operator.failover.decide import stall_seconds
from coderag_operator.failover.progress import Progress, Pulse, Read
from coderag_operator.failover.rollout import VERIFYING
from coderag_operator.failover.switch import CANARIES
from coderag_operator.kube.client import Kube
from coderag_operator.observed.child import Child, Live
from coderag_operator.observed.details import Data, Pod
from coderag_operator.observed.facts import read_facts
from coderag_operator.observed.roles import RoleState

log = logging.getLogger(__name__)
TICK, PERIOD, PER_SERVER = 0.5, 1.0, 0.02
READ_SECONDS, CANARY_SECONDS, REST = 3.0, 10.0, 0.05
CONCURRENT = 64


@dataclass
class Watch:
    """What is kept about one pod."""

    due: float = 0.0
    progress: Progress = field(default_factory=Progress)
    canaries: int = 0
    trouble: str = ""
    running: bool = False
    told: Pulse = field(default_factory=Pulse)


@dataclass(frozen=True)
class Target:
    """One pod to look at, and what it is to be."""

    key: Key
    stack: Stack
    pod: Child
    address: str
    state: RoleState

    @property
    def base(self) -> str:
        """Return the address of the server: the pod's own, because its Service may leave it out."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{PORTS[self.pod.component]}"

    @property
    def on_trial(self) -> bool:
        """Tell whether the server has to prove itself before it serves its role again."""
        return bool(self.state.active) or self.is_new

    @property
    def is_new(self) -> bool:
        """Tell whether the server came with a rollout, so that what it has loaded is to be compared."""
        return self.state.rollout is not None and self.state.rollout.step == VERIFYING


class ModelProber:
    """Looks at every model server in turn; `pulses` tells what is known about those of a stack."""

    def __init__(
        self, store: Store, queue: WorkQueue, kube: Kube, pool: Executor, clock: "Clock | None" = None
    ) -> None:
        self._store, self._queue, self._kube, self._pool = store, queue, kube, pool
        self._clock = clock or Clock()
        self._watches: dict[str, Watch] = {}
        self._keys: dict[Key, str] = {}
        self._parsed: dict[Key, tuple[object, Stack | None, Mapping[str, RoleState]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def pulses(self, children: Iterable[Child]) -> dict[str, Pulse]:
        """Return what is known about the model servers among these children, by the UID of their pod."""
        watches = {child.uid: self._watches[child.uid] for child in children if child.uid in self._watches}
        return {uid: describe(watch) for uid, watch in watches.items()}

    async def run(self) -> None:
        """Probe for ever."""
        limits = httpx.Limits(max_connections=4 * CONCURRENT, max_keepalive_connections=0)
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, limits=limits) as client:
            while True:
                self.start_due(client)
                await asyncio.sleep(TICK)

    def start_due(self, client: httpx.AsyncClient) -> None:
        """Start a look at every server whose time has come; one that is slow to answer holds nobody up."""
        targets = list(self._find_targets())
        self._forget({target.pod.uid for target in targets})
        period = max(PERIOD, len(targets) * PER_SERVER)
        for target in targets:
            watch = self._watches.setdefault(target.pod.uid, Watch())
            if watch.running or watch.due > self._clock.monotonic() or len(self._tasks) >= CONCURRENT:
                continue
            watch.running, watch.due = True, self._clock.monotonic() + period
            task = asyncio.create_task(self.look(client, target, watch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def look(self, client: httpx.AsyncClient, target: Target, watch: Watch) -> None:
        """Look at one server, and wake its stack when there is news."""
        try:
            await self._measure(client, target, watch)
        except Failure as failure:  # the API server has no key to ask with at the moment
            log.debug("Model server was not asked", extra={"stack": "/".join(target.key), "reason": failure.reason})
        finally:
            watch.running = False
        now = news(describe(watch), stall_seconds(target.stack), self._clock.now())
        if now != watch.told:
            watch.told = now
            self._queue.add(target.key)

    async def _measure(self, client: httpx.AsyncClient, target: Target, watch: Watch) -> None:
        key = await self._read_key(target)
        if not key:
            return
        began = self._clock.now()
        limit = patience(watch.progress, stall_seconds(target.stack), began)
        read, counters = await llama.read_counters(client, target.base, key, limit)
        watch.progress = watch.progress.follow(read, counters, began)
        if read is Read.SILENT:
            watch.due = self._clock.monotonic()  # at once: the time that it has been silent counts
        if read is Read.REFUSED:
            self._keys.pop(target.key, None)  # the Secret has changed
        if not target.on_trial:
            watch.canaries, watch.trouble = 0, ""
        elif read is Read.ANSWERED:
            await self._try(client, target, watch, key)
        else:
            watch.canaries, watch.trouble = 0, f"its metrics cannot be read: {read.value}"

    async def _try(self, client: httpx.AsyncClient, target: Target, watch: Watch, key: str) -> None:
        trouble = await llama.try_canary(client, target.base, key, CANARY_SECONDS)
        if not trouble and target.is_new:
            server = local_servers(target.stack)[target.pod.component]  # the stack is settled: the plan's context
            expected = (model_file(server), server.context_tokens)
            trouble = await llama.check_properties(client, target.base, key, *expected, READ_SECONDS)
        watch.canaries, watch.trouble = (0, trouble) if trouble else (min(watch.canaries + 1, CANARIES), "")

    def _find_targets(self) -> Iterator[Target]:
        for pod in self._store.model_pods():
            key, address = (pod.namespace, pod.stack), find_address(pod)
            stack, states = self._read(key) if address else (None, {})
            if stack is not None and pod.component in states:
                yield Target(key, stack, pod, address, states[pod.component])

    def _read(self, key: Key) -> tuple[Stack | None, Mapping[str, RoleState]]:
        """Return a stack and the state of its roles; both are read again only when they have changed."""
        body, facts = self._store.stack(key), self._store.child(key, "ConfigMap", FACTS)
        mark = (body and body["metadata"]["uid"], body and body["metadata"].get("generation"), facts and facts.version)
        if key not in self._parsed or self._parsed[key][0] != mark:
            stack = parse_valid(body)
            self._parsed[key] = mark, *read_settled(stack, facts)
        return self._parsed[key][1:]

    def _forget(self, alive: set[str]) -> None:
        for uid in self._watches.keys() - alive:
            del self._watches[uid]
        for kept in (self._keys, self._parsed):
            for key in [key for key in kept if self._store.stack(key) is None]:
                kept.pop(key)

    async def _read_key(self, target: Target) -> str:
        if target.key not in self._keys:
            self._keys[target.key] = await read_key(self._kube, self._pool, target.stack, "llama-api-key")
        return self._keys[target.key]


class Clock:
    """The two times that a look needs: one that never jumps, and the one that facts are written in."""

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return asyncio.get_running_loop().time()

    def now(self) -> float:
        """Return seconds of the epoch."""
        return time.time()


def describe(watch: Watch) -> Pulse:
    """Return what is known about a pod."""
    return Pulse(watch.progress.stuck_since, watch.canaries, watch.trouble)


def news(pulse: Pulse, stall: float, now: float) -> Pulse:
    """Return the part of a pulse that a stack is woken for: not each canary, not each second of silence."""
    stuck = pulse.stuck_since if pulse.stuck_since is not None and now - pulse.stuck_since >= stall else None
    return Pulse(stuck, CANARIES if pulse.canaries >= CANARIES else 0, pulse.trouble)


def patience(progress: Progress, stall: float, now: float) -> float:
    """Return how long to wait for an answer: no longer than until the server counts as stuck."""
    left = stall if progress.stuck_since is None else progress.stuck_since + stall - now
    return max(REST, min(READ_SECONDS, left))


def parse_valid(body: Live | None) -> Stack | None:
    """Return a stack that is there and valid; of one that is not, the servers run by a spec that nobody knows."""
    try:
        return parse(body) if body is not None else None
    except InvalidSpec:
        return None


def read_settled(stack: Stack | None, child: Child | None) -> tuple[Stack | None, dict[str, RoleState]]:
    """Return a stack as its servers are started by the plan, and the state of each role that has one."""
    if stack is None:
        return None, {}
    facts = read_facts(child.details.values if child and isinstance(child.details, Data) else {})
    states = {role: facts.roles.get(role, RoleState()) for role in local_servers(stack)}
    return settle(stack, facts.shapes, on_gpu=True), states


def find_address(child: Child) -> str:
    """Return where a pod's server can be asked, empty when it cannot: it is starting, going or has ended."""
    pod = child.details
    running = isinstance(pod, Pod) and pod.phase == "Running" and not child.deleting
    return pod.address if running and isinstance(pod, Pod) else ""

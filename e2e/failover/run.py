"""One fault under load: healthy for a while, the fault, what follows, and the figures of all of it."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from e2e.cluster.paths import REPOSITORY
from e2e.failover.accounting import Summary, Window, summarise
from e2e.failover.endpoints import Served, count_switches, history, label_changes, longest_absence
from e2e.failover.faults import Act
from e2e.failover.load import Target
from e2e.failover.record import Record, read_lines
from e2e.failover.site import Site, enter, python
from e2e.failover.watch import Watch
from e2e.kubectl import CommandError

GATEWAY, FRESH, KEPT = "gateway", "active, new connections", "active, kept connections"
DRAIN_SECONDS = 150
WARM_UP, WARM_UP_TRIES, WARM_UP_PAUSE = 6, 30, 2.0
SHORTEST = 10.0  # a window that ends with the fault itself would leave out the requests that it hit


class Load:
    """The load generator inside the cluster's network, from entering to leaving the block."""

    def __init__(self, site: Site, targets: list[Target]) -> None:
        self.command = [*enter(site.cluster), *python("e2e.failover.load")]
        self.settings = json.dumps([asdict(target) for target in targets])

    def __enter__(self) -> "Load":
        self.file = tempfile.NamedTemporaryFile(prefix="load-", suffix=".jsonl", mode="w+")
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=self.file, env=environment, text=True
        )
        assert self.process.stdin is not None
        self.process.stdin.write(self.settings)
        self.process.stdin.close()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self.file.close()

    def finish(self) -> None:
        """Send no more and wait for what is under way; raises when the generator itself failed."""
        if self.process.poll() is None:
            self.process.terminate()
        if self.process.wait(timeout=DRAIN_SECONDS):
            raise RuntimeError(f"the load generator ended with {self.process.returncode}")

    def records(self) -> list[Record]:
        """Return what is over so far."""
        with Path(self.file.name).open() as lines:
            return list(read_lines(lines))


@dataclass(frozen=True)
class Pace:
    """How much load, and for how long before the fault."""

    requests: int = 500  # to the gateway, at least
    rate: float = 6.0
    active_rate: float = 4.0
    healthy: float = 15.0
    patience: float = 480.0  # for everything to be as before
    calm: float = 20.0  # it has to stay that way this long: longer than a fault takes to be noticed


@dataclass(frozen=True)
class Fault:
    """One row of the table."""

    name: str
    act: Act
    hold: float = 0.0  # how long the cause lasts, where it does not end by itself
    until: Callable[[Site, str], bool] | None = None  # ends it earlier; told the uid of the pod that it was done to
    role: str = "chat"


@dataclass
class Result:
    """What came out of one fault."""

    fault: str
    window: Window
    summaries: dict[str, Summary]
    served: list[Served]
    labels: list[tuple[float, str, bool]]
    recovered: float | None  # from the fault until all was as before
    records: list[Record] = field(default_factory=list, repr=False)

    @property
    def switches(self) -> int:
        """Return how often another pod took over the Service of the role."""
        return count_switches(self.served)

    @property
    def absence(self) -> float:
        """Return the longest time in which that Service led nowhere."""
        return longest_absence(self.served, self.window)

    def label_turn(self, part: str, gained: bool) -> int | None:
        """Return which change of labels after the fault was the first in which a pod of a component gained or lost it.

        A turn and not a time: two changes that arrive together have one time, and still their order.
        """
        after = [(pod, has) for when, pod, has in self.labels if when >= self.window.start]
        return next((turn for turn, (pod, has) in enumerate(after) if has is gained and f"-{part}-" in pod), None)


def targets(site: Site, pace: Pace, role: str = "chat") -> list[Target]:
    """Return where the load goes: to the gateway as users do, and to the Service of whoever is active."""
    direct = {"key": site.key("llama-api-key"), "model": role, "url": site.address(site.active.format(role=role))}
    return [
        Target(GATEWAY, site.address("gateway"), site.key(), role, rate=pace.rate),
        Target(FRESH, **direct, rate=pace.active_rate, new_connection=True, timeout=60),
        Target(KEPT, **direct, rate=1.0, timeout=60),
    ]


def run(site: Site, fault: Fault, pace: Pace, recovered: Callable[[], bool]) -> Result:
    """Run one fault under load; `recovered` tells whether all is as before."""
    warm_up(site, fault.role)
    stand_in = {"chat": "code", "code": "chat"}[fault.role]
    service = f"kubernetes.io/service-name={site.name}-{site.active.format(role=fault.role)}"
    with ExitStack() as stack:
        slices = stack.enter_context(Watch(site, "endpointslices", service))
        labels = stack.enter_context(Watch(site, "pods", site.group.format(name=site.name)))
        load = stack.enter_context(Load(site, targets(site, pace, fault.role)))
        time.sleep(pace.healthy)
        uid, start = site.pod(fault.role)["metadata"]["uid"], time.time()
        with fault.act(site):
            wait_for(lambda: bool(fault.until and fault.until(site, uid)), time.time() + fault.hold)
        since = wait_for_calm(recovered, start + pace.patience, pace.calm)
        wait_for(lambda: sent(load) >= pace.requests, time.time() + pace.requests / pace.rate)
        load.finish()
        records = load.records()
    window = Window(start, max(since, start + SHORTEST) if since else time.time())
    names = (GATEWAY, FRESH, KEPT)
    summaries = {name: summarise(of(records, name), window, usual(name, fault.role)) for name in names}
    served = history(slices.changes, lambda pod: stand_in if f"-{stand_in}-" in pod else fault.role)
    found = label_changes(labels.changes, f"coderag.dev/serves-{fault.role}")
    return Result(fault.name, window, summaries, served, found, since and since - start, records)


def warm_up(site: Site, role: str = "chat") -> None:
    """Send a few requests until all of them are answered: the first ones after a start are slow for other reasons."""
    few = [replace(one, requests=WARM_UP, workers=1, rate=0) for one in targets(site, Pace(), role)]
    for _ in range(WARM_UP_TRIES):
        with Load(site, few) as load:
            wait_for(lambda: load.process.poll() is not None, time.time() + DRAIN_SECONDS)
            load.finish()
            if all(record.is_ok for record in load.records()):
                return
        time.sleep(WARM_UP_PAUSE)
    raise CommandError(f"{site.name} does not answer {WARM_UP} requests in a row, with nothing done to it")


def usual(target: str, role: str) -> str:
    """Return who answers when all is well, where the answer tells."""
    return role if target == GATEWAY else ""


def of(records: list[Record], target: str) -> list[Record]:
    """Return the records of one target."""
    return [record for record in records if record.target == target]


def sent(load: Load) -> int:
    """Return how many requests to the gateway are over."""
    return len(of(load.records(), GATEWAY))


def wait_for(check: Callable[[], bool], deadline: float, pause: float = 0.5) -> bool:
    """Wait until a check holds; tell whether it did before the deadline."""
    while time.time() < deadline:
        if check():
            return True
        time.sleep(pause)
    return False


def wait_for_calm(check: Callable[[], bool], deadline: float, calm: float) -> float | None:
    """Wait until a check has held for a while; return since when it does, None when the deadline came first."""
    since: float | None = None
    while time.time() < deadline or since:
        since = (since or time.time()) if check() else None
        if since and time.time() - since >= calm:
            return since
        time.sleep(0.5)
    return None

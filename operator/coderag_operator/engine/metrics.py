"""Prometheus metrics of the operator itself."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from coderag_operator.engine.workqueue import Key
from coderag_operator.reconcile import Outcome

BUCKETS = (0.005, 0.02, 0.1, 0.5, 2, 10, 60)
STATUSES = ("True", "False", "Unknown")


class Metrics:
    """Every metric in a registry of its own, so that two operators in one process (tests) do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        known: dict[str, Any] = {"registry": self.registry}
        self.duration = Histogram("coderag_reconcile_duration_seconds", "Length of a pass.", buckets=BUCKETS, **known)
        self.depth = Gauge("coderag_queue_depth", "Stacks that wait for a worker.", **known)
        self.stacks = Gauge("coderag_stacks", "Stacks that are watched.", **known)
        self.leader = Gauge("coderag_leader", "1 while this process holds the Lease.", **known)
        self.applies = Counter("coderag_applies_total", "Objects applied.", ["kind"], **known)
        self.deletes = Counter("coderag_deletes_total", "Objects deleted.", ["kind"], **known)
        self.status_writes = Counter("coderag_status_writes_total", "Statuses written.", **known)
        self.errors = Counter("coderag_errors_total", "Passes that failed.", ["reason"], **known)
        role = ["namespace", "stack", "role"]
        self.failover = Gauge("coderag_failover_active", "1 while the other model answers for a role.", role, **known)
        self.rollout = Gauge("coderag_rollout_active", "1 while a role gets a new server.", role, **known)
        self.failovers = Counter(
            "coderag_failovers_total", "Moves of a role to the other model.", [*role, "reason"], **known
        )
        self.wedged = Counter("coderag_wedged_servers_total", "Servers that were replaced.", role, **known)
        self.condition = Gauge(
            "coderag_stack_condition",
            "1 for the status that a condition of a stack has.",
            ["namespace", "stack", "condition", "status"],
            **known,
        )

    def count(self, key: Key, outcome: Outcome) -> None:
        """Count what a pass did."""
        for kind, number in outcome.applied.items():
            self.applies.labels(kind).inc(number)
        for kind, number in outcome.deleted.items():
            self.deletes.labels(kind).inc(number)
        self.status_writes.inc(outcome.status_written)
        self.show(key, outcome.conditions)
        for role, state in outcome.roles.items():
            self.failover.labels(*key, role).set(bool(state.active))
            self.rollout.labels(*key, role).set(state.under_way is not None)
        for role, reason in outcome.moves:
            self.failovers.labels(*key, role, reason).inc()
        for role in outcome.wedged:
            self.wedged.labels(*key, role).inc()

    def show(self, key: Key, conditions: Iterable[Mapping[str, Any]]) -> None:
        """Show the conditions of a stack."""
        for condition in conditions:
            for status in STATUSES:
                self.condition.labels(*key, condition["type"], status).set(condition["status"] == status)

    def forget(self, key: Key) -> None:
        """Show nothing of a stack any more."""
        namespace, stack = key
        for metric in (self.condition, self.failover, self.rollout, self.failovers, self.wedged):
            metric.remove_by_labels({"namespace": namespace, "stack": stack})

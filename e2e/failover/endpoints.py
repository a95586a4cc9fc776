"""Who served a Service when: from the EndpointSlices as they changed to switches and gaps. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from e2e.failover.accounting import Window

Change = tuple[float, str, dict[str, Any]]  # when, ADDED | MODIFIED | DELETED, the object


@dataclass(frozen=True)
class Served:
    """From a moment on these answered for the Service."""

    since: float
    by: frozenset[str]


def ready_pods(endpoint_slice: dict[str, Any]) -> frozenset[str]:
    """Return the names of the pods that get new connections; a condition that is not set counts as true."""
    found = endpoint_slice.get("endpoints") or []
    ready = [one for one in found if one.get("conditions", {}).get("ready") is not False]
    return frozenset(one["targetRef"]["name"] for one in ready if "targetRef" in one)


def history(changes: Iterable[Change], role_of: Callable[[str], str]) -> list[Served]:
    """Return who served since when, one entry a change of it."""
    slices: dict[str, frozenset[str]] = {}
    found: list[Served] = []
    for when, kind, value in changes:
        slices[value["metadata"]["name"]] = frozenset() if kind == "DELETED" else ready_pods(value)
        by = frozenset(role_of(pod) for pods in slices.values() for pod in pods)
        if not found or found[-1].by != by:
            found.append(Served(when, by))
    return found


def count_switches(served: Iterable[Served]) -> int:
    """Return how often another one took over; both together, or nobody, is on the way and no switch."""
    sole = [next(iter(one.by)) for one in served if len(one.by) == 1]
    return sum(1 for before, after in pairwise(sole) if before != after)


def longest_absence(served: list[Served], window: Window) -> float:
    """Return the longest time in the window in which the Service led nowhere."""
    ends = [*(one.since for one in served[1:]), max(window.end, served[-1].since)] if served else []
    gaps = [min(end, window.end) - max(one.since, window.start)
            for one, end in zip(served, ends, strict=True) if not one.by]  # fmt: skip
    return max([0.0, *gaps])


def label_changes(changes: Iterable[Change], label: str) -> list[tuple[float, str, bool]]:
    """Return when which pod gained or lost a label; a pod that goes loses it."""
    has: dict[str, bool] = {}
    found = []
    for when, kind, value in changes:
        name, labels = value["metadata"]["name"], value["metadata"].get("labels", {})
        now = kind != "DELETED" and labels.get(label) == "true"
        if has.get(name, False) != now:
            found.append((when, name, now))
        has[name] = now
    return found

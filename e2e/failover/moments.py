"""Moments of a failover and of a rollout at which the operator is killed, and the killing at them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from e2e.failover.faults import kill_operator
from e2e.failover.site import Site, is_ready
from e2e.failover.watch import Watch

STEPS = ("Waiting", "Shifting", "Draining", "Starting", "Verifying", "Returning")


def read_role(site: Site, role: str = "chat") -> dict[str, Any]:
    """Return what the status says about a role."""
    roles = site.get("crs", site.name).get("status", {}).get("roles", [])
    return next((one for one in roles if one["role"] == role), {})


def is_labelled(site: Site, part: str, role: str = "chat") -> bool:
    """Tell whether a component's pod carries the label of a role."""
    return any(pod["metadata"]["labels"].get(f"coderag.dev/serves-{role}") == "true" for pod in site.pods(part))


def has_ready(site: Site, part: str) -> bool:
    """Tell whether a component has a pod that is Ready."""
    return any(is_ready(pod) for pod in site.pods(part))


FAILOVER: dict[str, Callable[[Site], bool]] = {
    "as it begins": lambda site: True,
    "when the stand-in has the label": lambda site: is_labelled(site, "code"),
    "when the status says so": lambda site: read_role(site).get("active") == "code",
    "when the primary is back": lambda site: is_labelled(site, "code") and has_ready(site, "chat"),
    "when the stand-in has lost the label again": lambda site: not is_labelled(site, "code"),
}


def steps_of(stack: dict[str, Any]) -> set[str]:
    """Return the steps that the rollouts of a stack are in."""
    roles = stack.get("status", {}).get("roles", [])
    return {one["rollout"]["step"] for one in roles if (one.get("rollout") or {}).get("step")}


@contextmanager
def operator_killed_at(site: Site, *steps: str) -> Iterator[list[float]]:
    """Kill the operator once at each of these steps of a rollout of either role; yields the times of the kills.

    From a watch: a step that lasts half a second falls between two looks.
    """
    done: list[float] = []
    stop = threading.Event()

    def run() -> None:
        position = 0
        for step in steps:
            while position >= len(seen.changes) or step not in steps_of(seen.changes[position][2]):
                if position < len(seen.changes):
                    position += 1
                elif stop.wait(0.02):
                    return
            kill_operator(site)
            done.append(time.time())

    with Watch(site, "crs", "") as seen:
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield done
        finally:
            stop.set()
            thread.join()

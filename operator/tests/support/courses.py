"""Courses of a stack with two model servers: what tests of failover and rollouts start from and look at."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.specs import merge
from tests.support.simulation import Simulation, llama, local_spec

FAST = {"failoverAfter": "10s", "failbackAfter": "20s", "dwell": "30s", "flapWindow": "15m", "stallAfter": "10s"}


def spec(**more: Any) -> dict[str, Any]:
    return merge(local_spec(failover=FAST, rollout={"progressDeadline": "2m"}), more)


def converged(**more: Any) -> Simulation:
    simulation = Simulation(spec(**more))
    simulation.settle()
    assert simulation.conditions["Ready"]["status"] == "True"
    return simulation


def labels(simulation: Simulation, role: str) -> set[str]:
    """Return the components whose pods a role's active Service selects."""
    name = f"coderag.dev/serves-{role}"
    pods = [pod["metadata"] for pod in simulation.kube.of("Pod")]
    return {one["labels"]["app.kubernetes.io/component"] for one in pods if one["labels"].get(name) == "true"}


def role(simulation: Simulation, name: str) -> dict[str, Any]:
    return next(one for one in simulation.stack["status"]["roles"] if one["role"] == name)


def step(simulation: Simulation, seconds: float = 1) -> None:
    simulation.now += timedelta(seconds=seconds)
    simulation.step()
    simulation.run_controllers()


def until(simulation: Simulation, done: Callable[[], bool], limit: int = 300) -> int:
    """Take steps of a second until something is so; return how many."""
    for count in range(limit):
        if done():
            return count
        step(simulation)
    raise AssertionError(f"not so after {limit} s")


def reasons(simulation: Simulation) -> list[str]:
    return [notice.reason for outcome in simulation.outcomes for notice in outcome.notices]


def change_chat(simulation: Simulation, **more: Any) -> None:
    simulation.set_spec(merge(simulation.stack["spec"], {"models": {"chat": llama("chat", gpuLayers=0, **more)}}))

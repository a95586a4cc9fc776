"""Tell what happens while something long runs: steps with their time, and each condition of a stack as it changes."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e.kubectl import Cluster

COLOURS = {"True": "32", "False": "31", "Unknown": "33", "bold": "1"}


class WaitError(RuntimeError):
    """A stack did not reach the condition in time; the message holds what stands in the way."""


def paint(text: str, colour: str) -> str:
    """Colour text on a terminal, leave it alone elsewhere."""
    return f"\033[{COLOURS[colour]}m{text}\033[0m" if sys.stdout.isatty() else text


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print a title, run the block, print how long it took."""
    print(paint(f"==> {title}", "bold"), flush=True)
    started = time.monotonic()
    yield
    print(f"    done in {time.monotonic() - started:.0f} s", flush=True)


def read_conditions(stack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the conditions of a stack by type."""
    return {item["type"]: item for item in stack.get("status", {}).get("conditions", [])}


def is_current(stack: dict[str, Any], kind: str) -> bool:
    """Tell whether a condition is True at the generation of the spec as it stands."""
    condition = read_conditions(stack).get(kind, {})
    return condition.get("status") == "True" and condition.get("observedGeneration") == stack["metadata"]["generation"]


def wait_for_stack(
    cluster: Cluster, namespace: str, name: str, kinds: tuple[str, ...], seconds: float
) -> dict[str, Any]:
    """Wait until every condition in `kinds` is True at the current generation, printing each change."""
    started, seen = time.monotonic(), dict[str, tuple[str, str]]()
    while True:
        stack = cluster.get("crs", name, "-n", namespace)
        for kind, condition in read_conditions(stack).items():
            state = (condition["status"], condition.get("reason", ""))
            if seen.get(kind) != state:
                seen[kind] = state
                status = paint(f"{state[0]:8}", state[0])
                words = f"{state[1]}: {condition.get('message', '')}"
                print(f"    {time.monotonic() - started:4.0f} s  {kind:16} {status} {words}", flush=True)
        if stack and all(is_current(stack, kind) for kind in kinds):
            return stack
        if time.monotonic() - started > seconds:
            raise WaitError(
                f"{name} did not become {' and '.join(kinds)} in {seconds:.0f} s\n" + explain(cluster, namespace, name)
            )
        time.sleep(1)


def explain(cluster: Cluster, namespace: str, name: str) -> str:
    """Return what a person would look at first: the stack, its pods, and what the not ready ones say."""
    commands = (
        ("get", "crs,pods,jobs,pvc", "-o", "wide"),
        ("describe", "crs", name),
        ("get", "events", "--sort-by=.lastTimestamp"),
    )
    return "\n".join(cluster.kubectl("-n", namespace, *command, check=False)[-6000:] for command in commands)

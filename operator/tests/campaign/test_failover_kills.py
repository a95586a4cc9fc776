"""The operator killed after every write of a failover, a rollout and a rollback: each ends as if it had lived."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.courses import change_chat, converged, labels, step
from tests.support.memory_kube import Crash
from tests.support.simulation import Simulation


class Killer:
    """Kills the operator right after its n-th write, once."""

    def __init__(self, simulation: Simulation, count: int) -> None:
        self.left = count
        simulation.kube.after = self
        self.fired = False

    def __call__(self, verb: str, name: Any) -> None:
        self.left -= 1
        if self.left == 0:
            self.fired = True
            raise Crash


def fail_over(simulation: Simulation) -> None:
    simulation.servers.down.add("chat")
    for _ in range(4):
        step(simulation, 5)
    simulation.servers.down.clear()
    for _ in range(8):
        step(simulation, 8)


def roll(simulation: Simulation) -> None:
    change_chat(simulation, contextTokens=2048)
    for _ in range(12):
        step(simulation, 2)


def roll_back(simulation: Simulation) -> None:
    change_chat(simulation, contextTokens=2048)
    step(simulation)
    template = simulation.child("Deployment", "chat")["spec"]["template"]
    revision = template["metadata"]["annotations"]["coderag.dev/revision"]
    if revision != simulation.servers.revision(simulation.servers.pods("chat")[0]):
        simulation.servers.broken.add(revision)
    for _ in range(24):
        step(simulation, 9)


@pytest.mark.parametrize("course", [fail_over, roll, roll_back], ids=lambda course: course.__name__)
def test_killing_the_operator_after_any_write_of_it_ends_in_the_right_state(course: Callable[[Simulation], None]):
    for count in range(1, 80):
        simulation = converged()
        killer = Killer(simulation, count)
        course(simulation)
        simulation.kube.after = lambda verb, name: None
        simulation.settle()
        assert labels(simulation, "chat") == {"chat"}, count
        assert labels(simulation, "code") == {"code"}, count
        ready = "False" if course is roll_back and simulation.servers.broken else "True"
        assert simulation.conditions["Ready"]["status"] == ready, count
        assert simulation.conditions["Available"]["status"] == "True", count
        if not killer.fired:
            break
    else:
        pytest.fail("the course has more writes than were tried")
    assert count > 5

"""The claim of sharing DRA through planner and executor: made, kept while a pod holds it, refused in words."""

from typing import Any

import pytest
from coderag_operator.desired import build
from coderag_operator.errors import Failure, Unserved
from coderag_operator.execute import Done, Executor
from coderag_operator.kube.cache import Memory
from coderag_operator.kube.kinds import RESOURCE_CLAIM
from coderag_operator.observed.child import Child, project
from coderag_operator.observed.details import Devices
from coderag_operator.plan import plan
from tests.specs import make_inputs, make_stack, nest
from tests.support.memory_kube import MemoryKube, Name

NAME: Name = ("ResourceClaim", "team", "demo-gpu")
HELD = {"reservedFor": [{"resource": "pods", "name": "demo-chat-x", "uid": "p"}]}
DRA, SLICED = nest("gpu.sharing", "DRA"), nest("gpu.sharing", "TimeSlicing")


class Cluster:
    """One stack, applied by the operator's own planner and executor."""

    def __init__(self) -> None:
        self.kube, self.memory = MemoryKube(), Memory()
        self.children: dict[tuple[str, str], Child] = {}

    def follow(self, *patches: dict[str, Any]) -> Done:
        """Bring the children to the spec."""
        stack = make_stack(*patches)
        planned = plan(build(stack, make_inputs(stack)), self.children.values(), stack.uid, self.memory.applied)
        return Executor(self.kube, self.memory, stack.uid, self.children).carry_out(planned, ())

    def set_status(self, status: dict[str, Any]) -> None:
        """Be the scheduler, and let the watch show it."""
        self.kube.edit(NAME, lambda live: live.update(status=status))
        self.children[NAME[0], NAME[2]] = project(self.kube.objects[NAME])


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_a_claim_comes_with_its_mode_and_goes_with_it(cluster: Cluster) -> None:
    assert cluster.follow(DRA).applied["ResourceClaim"] == 1
    assert cluster.follow(DRA).applied["ResourceClaim"] == 0
    assert cluster.follow(SLICED).deleted["ResourceClaim"] == 1
    assert NAME not in cluster.kube.objects


def test_a_claim_stays_while_a_pod_holds_it(cluster: Cluster) -> None:
    """A server that waits for its turn to be replaced could not start again without the claim."""
    cluster.follow(DRA)
    cluster.set_status(HELD)
    assert cluster.follow(SLICED).deleted["ResourceClaim"] == 0
    cluster.set_status({})
    assert cluster.follow(SLICED).deleted["ResourceClaim"] == 1


def test_pods_that_come_and_go_cost_no_write(cluster: Cluster) -> None:
    cluster.follow(DRA)
    cluster.set_status(HELD)
    assert cluster.follow(DRA).applied.total() == 0


def test_what_a_claim_asks_for_cannot_change(cluster: Cluster) -> None:
    cluster.follow(DRA)
    cluster.children[NAME[0], NAME[2]] = project(cluster.kube.objects[NAME])
    stack = make_stack(DRA, nest("gpu.deviceClassName", "other"))
    (problem,) = plan(build(stack, make_inputs(stack)), cluster.children.values(), stack.uid, {}).problems
    assert (problem.reason, problem.name) == ("ImmutableFieldChanged", "demo-gpu")
    assert "delete the object and it comes back as wanted" in problem.message


def test_a_cluster_that_is_too_old_is_named_and_the_rest_is_applied(cluster: Cluster) -> None:
    def too_old(verb: str, name: Name) -> Failure | None:
        return Unserved("NotServed", "too old") if name == NAME else None

    cluster.kube.before = too_old
    done = cluster.follow(DRA)
    assert [(one.reason, one.message) for one in done.problems] == [("NotServed", "ResourceClaim demo-gpu: too old")]
    assert done.applied["Deployment"] > 0
    assert done.transient is None


@pytest.mark.parametrize(("status", "in_use"), [(HELD, True), ({"reservedFor": []}, False), ({}, False), (None, False)])
def test_a_claim_tells_whether_a_pod_holds_it(status: Any, in_use: bool) -> None:
    spec = {"devices": {"requests": []}}
    live = {"kind": RESOURCE_CLAIM.name, "metadata": {"name": "x"}, "spec": spec, "status": status}
    assert project(live).details == Devices(in_use, spec)
    assert project({"kind": RESOURCE_CLAIM.name, "metadata": {"name": "x"}}).details == Devices()

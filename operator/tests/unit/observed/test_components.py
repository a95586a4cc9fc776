"""A component's state is told from its workload and pods, the most telling reason first."""

import pytest
from coderag_operator.observed.child import Child
from coderag_operator.observed.components import find_stand_ins, read_component
from coderag_operator.observed.details import Details, Nothing, Pod, Workload


def child(details: Details, component: str = "rag") -> Child:
    return Child("X", "team", "x", "u", "1", "demo", component, "", False, details)


def workload(**numbers: int | bool) -> Child:
    defaults = {"generation": 1, "observed_generation": 1, "wanted": 1, "updated": 1, "total": 1, "ready": 1}
    return child(Workload(**{**defaults, **numbers}))


@pytest.mark.parametrize(
    ("children", "reason", "converged", "serving"),
    [
        ([], "NotCreated", False, False),
        ([workload()], "PodsReady", True, True),
        ([workload(wanted=0, total=0, updated=0, ready=0)], "Suspended", False, False),
        ([workload(wanted=0)], "Suspended", False, True),
        ([workload(ready=0)], "NotReady", False, False),
        ([workload(ready=0, late=True)], "ProgressDeadlineExceeded", False, False),
        ([workload(observed_generation=0)], "RollingOut", False, True),
        ([workload(updated=0)], "RollingOut", False, True),
        ([workload(total=2)], "RollingOut", False, True),
        ([workload(ready=0), child(Pod(waiting=(("CrashLoopBackOff", "i"),)))], "CrashLoopBackOff", False, False),
        ([workload(ready=0), child(Pod(waiting=(("Odd", "i"),)))], "Odd", False, False),
        ([workload(ready=0), child(Pod(unschedulable="no node"))], "Unschedulable", False, False),
        ([workload(ready=0), child(Pod()), child(Nothing())], "NotReady", False, False),
        ([workload(ready=0), child(Pod(unschedulable="x"), "chat")], "NotReady", False, False),
    ],
)
def test_the_state_of_a_component(children: list[Child], reason: str, converged: bool, serving: bool) -> None:
    found = read_component("rag", children)
    assert (found.reason, found.converged, found.serving) == (reason, converged, serving)
    assert found.message


def test_only_pods_labelled_for_another_role_stand_in() -> None:
    pods = [child(Pod(serves=frozenset({"chat", "code"})), "code"), child(Pod(serves=frozenset({"chat"})), "chat")]
    assert find_stand_ins([*pods, child(Nothing())]) == {"chat": "code"}

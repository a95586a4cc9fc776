"""The plan applies what differs, prunes what is ours and surplus, and refuses what cannot be."""

from dataclasses import replace
from typing import Any

import pytest
from coderag_operator.desired import Desired, Frozen
from coderag_operator.observed.child import Child, digest
from coderag_operator.observed.details import Claim, Details, Nothing, Workload
from coderag_operator.plan import PRUNABLE, contains, find_problem, plan
from hypothesis import given
from hypothesis import strategies as st

OWNER = "stack-uid"
NAMES = [(kind, name) for kind in ("Service", "Secret", "Pod", "Ingress", "Deployment") for name in ("a", "b")]


def manifest(kind: str = "Service", name: str = "a", **body: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": "rag"}
    return {"kind": kind, "metadata": {"name": name, "namespace": "team", "labels": labels}, **body}


def child(kind: str = "Service", name: str = "a", owner: str = OWNER, details: Details | None = None) -> Child:
    return Child(kind, "team", name, "u", "5", "demo", "rag", owner, False, details or Nothing())


def desired(*objects: dict[str, Any], frozen: str = "") -> Desired:
    return Desired(objects, {frozen: Frozen("SecretMissing", "x")} if frozen else {})


def test_a_new_object_is_applied_as_new() -> None:
    made = plan(desired(manifest()), [], OWNER, {})
    assert [(step.key, step.revision) for step in made.apply] == [(("Service", "a"), "")]


def test_an_object_as_this_process_left_it_is_left_alone() -> None:
    applied = {("Service", "a"): ("5", digest(manifest()))}
    assert plan(desired(manifest()), [child()], OWNER, applied).apply == ()


@pytest.mark.parametrize("applied", [("4", digest(manifest())), ("5", "other")])
def test_another_version_or_another_body_is_applied(applied: tuple[str, str]) -> None:
    made = plan(desired(manifest()), [child()], OWNER, {("Service", "a"): applied})
    assert [step.revision for step in made.apply] == ["5"]


def test_an_object_on_its_way_out_is_waited_for() -> None:
    made = plan(desired(manifest()), [replace(child(), deleting=True)], OWNER, {})
    assert (made.apply, made.prune) == ((), ())


def test_surplus_children_are_pruned_in_order() -> None:
    made = plan(desired(), [child(name="b"), child(name="a")], OWNER, {})
    assert [one.name for one in made.prune] == ["a", "b"]


@pytest.mark.parametrize(
    "kept",
    [
        child(owner="another"),
        child(owner=""),
        child("Secret"),
        child("Pod"),
        replace(child(), deleting=True),
    ],
)
def test_what_is_not_ours_to_delete_is_never_pruned(kept: Child) -> None:
    assert plan(desired(), [kept], OWNER, {}).prune == ()


def test_nothing_of_a_frozen_component_is_pruned() -> None:
    assert plan(desired(frozen="rag"), [child("Ingress")], OWNER, {}).prune == ()


def test_while_something_is_frozen_only_what_nothing_uses_is_pruned() -> None:
    made = plan(desired(frozen="gateway"), [child(), child("Ingress")], OWNER, {})
    assert [one.kind for one in made.prune] == ["Ingress"]


def test_an_object_of_another_controller_is_a_problem_and_not_touched() -> None:
    made = plan(desired(manifest()), [child(owner="another")], OWNER, {})
    assert (made.apply, made.prune) == ((), ())
    (problem,) = made.problems
    assert (problem.reason, problem.component, problem.kind) == ("NameTaken", "rag", "Service")


@pytest.mark.parametrize(
    ("live", "wanted", "refused"),
    [
        ({"selector": {"a": 1}}, {"selector": {"a": 1}}, False),
        ({"selector": {"a": 1}}, {"selector": {"a": 2}}, True),
        ({"volumeClaimTemplates": [{"a": 1, "status": {}}]}, {"volumeClaimTemplates": [{"a": 1}]}, False),
        ({"volumeClaimTemplates": [{"a": 1}]}, {"volumeClaimTemplates": [{"a": 1}, {}]}, True),
        ({"serviceName": "s"}, {}, False),
    ],
)
def test_a_field_that_cannot_change_is_told_before_the_api_server_is_asked(
    live: dict[str, Any], wanted: dict[str, Any], refused: bool
) -> None:
    there = child("StatefulSet", details=Workload(frozen_fields=live))
    problem = find_problem(manifest("StatefulSet", spec=wanted), there, OWNER)
    assert (problem is not None) == refused
    assert problem is None or problem.reason == "ImmutableFieldChanged"


@pytest.mark.parametrize(("live", "refused"), [("1Gi", False), ("2Gi", True), ("", False), ("512Mi", False)])
def test_a_claim_may_grow_and_not_shrink(live: str, refused: bool) -> None:
    wanted = manifest("PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "1Gi"}}})
    problem = find_problem(wanted, child("PersistentVolumeClaim", details=Claim(requested=live)), OWNER)
    assert (problem is not None) == refused
    assert problem is None or "ask for 2Gi" in problem.message


@pytest.mark.parametrize(
    ("live", "wanted", "inside"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"b": 1}, False),
        (1, {"a": 1}, False),
        (1, [1], False),
        ([1, 2], [1], False),
    ],
)
def test_defaults_of_the_api_server_do_not_count_as_changes(live: Any, wanted: Any, inside: bool) -> None:
    assert contains(live, wanted) is inside


@given(
    wanted=st.sets(st.sampled_from(NAMES)),
    live=st.dictionaries(st.sampled_from(NAMES), st.sampled_from([OWNER, "", "another"])),
    frozen=st.sampled_from(["", "rag", "chat"]),
)
def test_a_plan_never_contradicts_itself(wanted: set[Any], live: dict[Any, str], frozen: str) -> None:
    objects = tuple(manifest(kind, name) for kind, name in sorted(wanted))
    made = plan(desired(*objects, frozen=frozen), [child(*key, owner) for key, owner in live.items()], OWNER, {})
    applied, pruned = {step.key for step in made.apply}, {one.key for one in made.prune}
    refused = {(problem.kind, problem.name) for problem in made.problems}
    assert not applied & pruned
    assert applied | refused == wanted
    assert not applied & refused
    assert all(live[key] == OWNER and key[0] in PRUNABLE for key in pruned)

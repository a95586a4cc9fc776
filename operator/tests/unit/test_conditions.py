"""Every condition from one function: what each state reads as; times move only when a status flips."""

from typing import Any

import pytest
from coderag_operator.conditions import compute, describe_failure, judge
from coderag_operator.desired import Frozen
from coderag_operator.observed.index import Index, Repository
from coderag_operator.observed.problem import Problem
from coderag_operator.observed.roles import RoleState, Rollout
from coderag_operator.observed.view import Fetch, View
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.views import NAMES, down, up, view, without

EVERY = [
    "Ready", "Available", "Degraded", "Reconciling", "Stalled", "VectorStoreReady", "EmbeddingReady", "RagReady",
    "ChatReady", "CodeReady", "GatewayReady", "ModelsFetched", "VramPlanned", "OffloadAsPlanned",
    "FailoverActive", "IndexReady", "IndexCompatible",
]  # fmt: skip
REFUSED = Problem("rag", "Deployment", "demo-rag", "Invalid", "Deployment demo-rag: no")
OUTAGE = Problem("", "", "", "ApiUnavailable", "busy", needs_person=False)
MISSING = {"gateway": Frozen("SecretMissing", "create it")}
FETCHING = {"chat": Frozen("ModelNotFetched", "not yet")}
FINAL = Fetch("chat", False, True, "ChecksumMismatch", "other bytes")


def read(given: View) -> dict[str, tuple[str, str]]:
    return {verdict.type: (verdict.status, verdict.reason) for verdict in judge(given)}


def test_all_conditions_are_there_after_the_first_pass() -> None:
    assert [one["type"] for one in compute(view(), (), "now")] == EVERY
    assert [one["type"] for one in compute(View(1, {}, invalid="spec.x: no"), (), "now")] == EVERY


def test_a_healthy_stack_is_ready_and_nothing_else() -> None:
    found = read(view())
    assert {kind for kind, (status, _) in found.items() if status == "True"} == set(EVERY) - {
        "Degraded", "Reconciling", "Stalled", "FailoverActive",
    }  # fmt: skip
    assert found["Ready"] == ("True", "AllServing")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (view("chat"), {"Available": "AllServed", "Ready": "NotReady", "Degraded": "ComponentsDown"}),
        (view("chat", "code"), {"Available": "NotServed", "Ready": "NotReady"}),
        (view("gateway"), {"Available": "NotServed", "GatewayReady": "NotReady"}),
        (view("embedding"), {"Available": "AllServed", "EmbeddingReady": "NotReady", "Degraded": "ComponentsDown"}),
        (view("qdrant"), {"Available": "NotServed", "VectorStoreReady": "NotReady"}),
        (view("rag"), {"Available": "NotServed", "RagReady": "NotReady"}),
        (view("ingestion"), {"Available": "AllServed", "Ready": "NotReady", "Degraded": "ComponentsDown"}),
        (without(view(), "chat", "code"), {"Ready": "AllServing", "ChatReady": "External", "Degraded": "NothingDown"}),
        (without(view("code"), "chat"), {"Available": "AllServed", "CodeReady": "NotReady"}),
        (
            view(problems=(REFUSED,)),
            {"Stalled": "Invalid", "Ready": "Invalid", "RagReady": "Invalid", "Available": "AllServed"},
        ),
        (
            view(problems=(OUTAGE,)),
            {"Stalled": "NotStalled", "Reconciling": "ApiUnavailable", "Ready": "ApiUnavailable"},
        ),
        (view(frozen=MISSING), {"Stalled": "SecretMissing", "GatewayReady": "SecretMissing", "Reconciling": "Stalled"}),
        (
            view(frozen=FETCHING),
            {"Stalled": "NotStalled", "Reconciling": "ModelNotFetched", "ChatReady": "ModelNotFetched"},
        ),
        (view(fetches=(FINAL,)), {"Stalled": "ChecksumMismatch", "ModelsFetched": "ChecksumMismatch"}),
        (view(fetches=(Fetch("chat", False), FINAL)), {"ModelsFetched": "ChecksumMismatch"}),
        (view(fetches=(Fetch("chat", True),)), {"ModelsFetched": "AllFetched"}),
        (view(fetches=(Fetch("chat", False),)), {"ModelsFetched": "Fetching"}),
        (view(), {"ModelsFetched": "NothingToFetch"}),
        (view(unfinished=True), {"Reconciling": "Applying", "Ready": "Applying"}),
        (view(*NAMES, suspended=True), {"Ready": "Suspended", "Degraded": "NothingDown", "Reconciling": "Converged"}),
        (view("chat", suspended=True), {"Ready": "Suspended", "Degraded": "Suspended"}),
        (view(stand_ins={"chat": "code"}), {"FailoverActive": "StoodIn", "Degraded": "StoodIn", "Ready": "AllServing"}),
        (
            view(invalid="spec.x: no; fix it"),
            {
                "Stalled": "InvalidSpec",
                "Ready": "InvalidSpec",
                "ChatReady": "InvalidSpec",
                "Available": "AllServed",
                "ModelsFetched": "InvalidSpec",
            },
        ),
        (view(repositories=()), {"IndexReady": "NoRepositories", "IndexCompatible": "NoRepositories"}),
        (view(index=None), {"IndexReady": "NotReported"}),
        (view(index=None, invalid="x"), {"IndexReady": "NotReported"}),
        (view(index=Index(False)), {"IndexReady": "Unreachable", "IndexCompatible": "Unreachable"}),
        (view(index=Index()), {"IndexReady": "Indexing", "IndexCompatible": "NoIdentity"}),
        (
            view(index=Index(True, "i", (Repository("app", state="Failed", message="no"),))),
            {"IndexReady": "SyncFailed"},
        ),
        (view(index=Index(True, "i", (Repository("app", state="Syncing"),))), {"IndexReady": "Indexing"}),
        (view(repositories=(), invalid="x"), {"IndexReady": "AllServed"}),
    ],
)
def test_what_a_state_reads_as(given: View, expected: dict[str, str]) -> None:
    found = read(given)
    assert {kind: found[kind][1] for kind in expected} == expected


def test_nothing_serves_and_nothing_is_left_to_do_is_not_ready() -> None:
    components = {name: up(name) for name in NAMES if name not in ("chat", "code")}
    found = read(View(1, {**components, "chat": down("chat"), "code": down("code")}, frozen={}))
    assert found["Ready"][0] == "False"
    idle = View(
        1,
        {"rag": up("rag")}
        | {name: up(name) for name in NAMES if name not in ("gateway",)}
        | {"gateway": up("gateway")},
    )
    assert read(idle)["Ready"] == ("True", "AllServing")


def test_converged_parts_that_do_not_make_a_whole_are_not_ready() -> None:
    parts = {name: up(name) for name in NAMES if name != "gateway"} | {"gateway": up("gateway")}
    odd = {**parts, "gateway": type(up("gateway"))("gateway", True, False, "PodsReady", "odd")}
    assert read(View(1, odd))["Ready"] == ("False", "NotServed")


@pytest.mark.parametrize(
    ("fetch", "text"),
    [
        (Fetch("chat", False), "is being fetched"),
        (Fetch("chat", False, False, "Unreachable", "no route"), "again after Unreachable: no route"),
        (FINAL, "correct source.http.sha256"),
        (Fetch("chat", False, True, "Odd", "odd"), "delete the Job to try again"),
    ],
)
def test_a_fetch_says_how_it_stands_and_what_to_do(fetch: Fetch, text: str) -> None:
    assert text in describe_failure(fetch)


def test_the_time_of_a_condition_moves_only_when_its_status_flips() -> None:
    first = compute(view("chat"), (), "t1")
    second = {one["type"]: one for one in compute(view(generation=5), first, "t2")}
    moved = {kind for kind, one in second.items() if one["lastTransitionTime"] == "t2"}
    assert moved == {"Ready", "ChatReady", "Degraded", "Reconciling"}
    assert {one["observedGeneration"] for one in second.values()} == {5}


def test_what_was_known_of_the_index_holds_until_somebody_asked_again() -> None:
    known = compute(view(), (), "t1")
    after = {one["type"]: one for one in compute(view(index=None), known, "t2")}
    assert (after["IndexReady"]["reason"], after["IndexReady"]["lastTransitionTime"]) == ("AllServed", "t1")
    fresh = {one["type"]: one for one in compute(view(index=None), (), "t2")}
    assert fresh["IndexReady"]["status"] == "Unknown"


VIEWS = st.builds(
    view,
    components=st.fixed_dictionaries(
        {name: st.sampled_from([up(name), down(name), down(name, True)]) for name in NAMES}
    ),
    frozen=st.sampled_from([{}, MISSING, FETCHING]),
    problems=st.sampled_from([(), (REFUSED,), (OUTAGE,)]),
    fetches=st.sampled_from([(), (FINAL,), (Fetch("chat", False),), (Fetch("chat", True),)]),
    index=st.sampled_from([None, Index(), Index(False)]),
    invalid=st.sampled_from(["", "spec.x: no"]),
    suspended=st.booleans(),
    unfinished=st.booleans(),
)


@given(VIEWS)
def test_ready_is_never_true_while_anything_else_says_otherwise(given: View) -> None:
    found = {kind: status for kind, (status, _) in read(given).items()}
    assert not (found["Reconciling"] == found["Stalled"] == "True")
    if found["Ready"] == "True":
        parts = [found[kind] for kind in EVERY if kind.endswith("Ready") and kind != "IndexReady"]
        assert set(parts) | {found["Available"]} == {"True"}
        assert "True" not in (found["Reconciling"], found["Stalled"])


@given(VIEWS)
def test_an_equal_view_gives_equal_conditions(given: View) -> None:
    first: list[dict[str, Any]] = compute(given, (), "t1")
    assert compute(given, first, "t2") == first


def test_maintenance_says_when_the_nodes_are_free():
    stopping = {one.type: one for one in judge(view(suspended=True, maintenance=True))}
    assert (stopping["Ready"].reason, stopping["Reconciling"].reason) == ("Maintenance", "Maintenance")
    free = {one.type: one for one in judge(view(suspended=True, maintenance=True, alive=False))}
    assert (free["Ready"].reason, free["Reconciling"].status) == ("NodesFree", "False")


def test_a_rollout_is_told_with_its_step():
    rollout = Rollout("r", "Draining", 1, message="the old server finishes its requests")
    found = {one.type: one for one in judge(view(roles={"chat": RoleState(active="code", rollout=rollout)}))}
    text = "chat is being rolled out: Draining, the old server finishes its requests"
    for kind in ("ChatReady", "Reconciling"):
        assert (found[kind].reason, found[kind].message) == ("RollingOut", text)
    assert found["Available"].status == "True"

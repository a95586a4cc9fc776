"""One pass after the other over a stack in a small simulated cluster."""

import json
from typing import Any

import pytest
from coderag_operator.errors import Blocked, Terminal, Transient
from coderag_operator.events import find_notices
from tests.support.simulation import (
    NAMESPACE,
    SHA,
    Simulation,
    external,
    external_spec,
    llama,
    local_spec,
)

KEYS = ("Secret", NAMESPACE, "demo-keys")
RAG = ("Deployment", NAMESPACE, "demo-rag")


def converge(spec: dict[str, Any]) -> Simulation:
    simulation = Simulation(spec)
    simulation.settle()
    return simulation


def notices(simulation: Simulation) -> list[str]:
    return [notice.reason for outcome in simulation.outcomes for notice in outcome.notices]


def test_keys_are_made_once_random_and_in_no_status() -> None:
    simulation, other = converge(external_spec()), converge(external_spec())
    data = simulation.kube.objects[KEYS]["data"]
    assert len(set(data.values())) == 8
    assert min(len(value) for value in data.values()) >= 32
    assert not set(data.values()) & set(other.kube.objects[KEYS]["data"].values())
    written = json.dumps([live for name, live in simulation.kube.objects.items() if name != KEYS])
    assert not any(value in written for value in data.values())
    assert notices(simulation).count("KeysCreated") == 1


def test_lost_keys_are_made_again_with_an_event_and_pods_roll() -> None:
    simulation = converge(external_spec())
    before = simulation.child("Deployment", "rag")["spec"]["template"]
    simulation.kube.remove(KEYS)
    simulation.settle()
    assert "KeysRecreated" in notices(simulation)
    assert simulation.child("Deployment", "rag")["spec"]["template"] != before


def test_keys_of_the_user_are_used_and_none_are_made() -> None:
    simulation = converge(external_spec(auth={"existingSecretRef": {"name": "mine"}}))
    assert KEYS not in simulation.kube.objects
    assert simulation.conditions["Stalled"]["reason"] == "SecretMissing"
    assert "mine" in simulation.conditions["Stalled"]["message"]
    assert simulation.outcomes[-1].requeue_after == 20
    names = converge(external_spec()).kube.objects[KEYS]["data"]
    simulation.kube.add(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "mine", "namespace": NAMESPACE},
            "data": dict(names),
        }
    )
    simulation.settle()
    assert simulation.conditions["Ready"]["status"] == "True"
    assert simulation.outcomes[-1].requeue_after is None


def test_a_secret_in_the_way_of_the_keys_is_not_touched() -> None:
    simulation = Simulation(external_spec())
    foreign = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "demo-keys", "namespace": NAMESPACE},
        "data": {},
    }
    simulation.kube.add(foreign)
    simulation.settle()
    assert simulation.kube.objects[KEYS]["data"] == {}
    assert simulation.conditions["Stalled"]["reason"] == "NameTaken"
    assert "existingSecretRef" in simulation.conditions["Stalled"]["message"]


def test_keys_that_a_stale_view_misses_are_found_and_not_made_again() -> None:
    simulation = converge(external_spec())
    body, children = simulation.view()
    simulation.restart()
    before = dict(simulation.kube.objects[KEYS]["data"])
    simulation.step((body, tuple(child for child in children if child.kind != "Secret")))
    assert simulation.kube.objects[KEYS]["data"] == before
    assert "KeysRecreated" not in notices(simulation)


def test_an_object_of_somebody_else_is_not_taken_over() -> None:
    simulation = Simulation(external_spec())
    simulation.kube.add(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "demo-rag", "namespace": NAMESPACE}, "spec": {}}
    )
    simulation.settle()
    assert simulation.child("Service", "rag")["spec"] == {}
    assert simulation.conditions["Stalled"]["reason"] == "NameTaken"
    simulation.kube.remove(("Service", NAMESPACE, "demo-rag"))
    simulation.settle()
    assert simulation.conditions["Ready"]["status"] == "True"


def test_a_retained_claim_is_taken_up_by_a_stack_of_the_same_name() -> None:
    simulation = converge(external_spec())
    claim = simulation.child("PersistentVolumeClaim", "qdrant")
    assert not claim["metadata"].get("ownerReferences")
    simulation.kube.remove(simulation.key)
    again = Simulation(external_spec(), kube=simulation.kube)
    again.settle()
    assert again.child("PersistentVolumeClaim", "qdrant")["metadata"]["uid"] == claim["metadata"]["uid"]
    assert again.conditions["Ready"]["status"] == "True"


def test_a_refused_object_stalls_the_stack_and_is_in_nobodys_way() -> None:
    simulation = Simulation(external_spec())
    refused = Terminal("Invalid", "spec.template: no")
    simulation.kube.before = lambda verb, name: refused if name == RAG else None
    simulation.settle()
    assert simulation.conditions["Stalled"]["reason"] == "Invalid"
    assert "Deployment demo-rag: spec.template: no" in simulation.conditions["RagReady"]["message"]
    assert ("Deployment", NAMESPACE, "demo-gateway") in simulation.kube.objects
    asked: list[object] = []
    simulation.kube.before = lambda verb, name: asked.append(name)  # type: ignore[func-returns-value]
    simulation.step()
    assert RAG not in asked


def test_a_quota_is_looked_at_again() -> None:
    simulation = Simulation(external_spec())
    simulation.kube.before = lambda verb, name: Blocked("Forbidden", "exceeded quota") if name == RAG else None
    simulation.settle()
    assert simulation.conditions["Stalled"]["reason"] == "Forbidden"
    assert simulation.outcomes[-1].requeue_after == 20
    simulation.kube.before = lambda verb, name: None
    simulation.settle()
    assert simulation.conditions["Ready"]["status"] == "True"


def test_lists_that_make_an_object_invalid_are_put_back_as_a_whole() -> None:
    simulation = converge(external_spec())
    key = ("Service", NAMESPACE, "demo-rag")
    wanted = simulation.kube.objects[key]["spec"]
    simulation.kube.edit(key, lambda live: live.update(spec={**wanted, "ports": [{"port": 9999, "name": "http"}]}))
    merged: list[str] = []

    def fault(verb: str, name: object) -> Terminal | None:
        if name == key and verb == "merge":
            merged.append(verb)
        return Terminal("Invalid", "duplicate") if name == key and verb == "apply" and not merged else None

    simulation.kube.before = fault
    simulation.settle()
    assert merged == ["merge"]
    assert simulation.kube.objects[key]["spec"] == wanted
    assert simulation.conditions["Ready"]["status"] == "True"


def test_an_outage_is_told_only_after_several_passes() -> None:
    simulation = converge(external_spec())
    simulation.set_spec(external_spec(rag={"replicas": 2}))
    simulation.kube.before = lambda verb, name: Transient("InternalError", "webhook is down") if name == RAG else None
    for _ in range(3):
        simulation.step()
        assert simulation.conditions["Ready"]["observedGeneration"] == 1
    simulation.step()
    assert simulation.conditions["Reconciling"]["reason"] == "ApiUnavailable"
    assert simulation.conditions["Ready"]["status"] == "False"


def test_an_api_server_that_is_gone_is_not_asked_for_every_object() -> None:
    simulation = Simulation(external_spec())
    asked: list[object] = []

    def fault(verb: str, name: object) -> Transient | None:
        asked.append(name)
        return Transient("Unreachable", "gone") if verb == "apply" else None

    simulation.kube.before = fault
    simulation.step()
    assert len(asked) == 2  # the keys, and one object


@pytest.mark.parametrize("failure", [Transient("Conflict", "x"), Terminal("Odd", "x")])
def test_a_delete_that_fails_is_tried_again(failure: Exception) -> None:
    simulation = converge(external_spec(expose={"ingress": {"host": "code.example", "tlsSecretName": "tls"}}))
    simulation.set_spec(external_spec())
    simulation.kube.before = lambda verb, name: failure if verb == "delete" else None  # type: ignore[return-value]
    simulation.step()
    assert list(simulation.kube.of("Ingress"))
    simulation.kube.before = lambda verb, name: None
    simulation.settle()
    assert not list(simulation.kube.of("Ingress"))
    assert simulation.conditions["Ready"]["status"] == "True"


def test_a_stack_that_is_being_deleted_is_left_alone() -> None:
    simulation = converge(external_spec())
    simulation.kube.edit(simulation.key, lambda live: live["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"))
    simulation.kube.remove(RAG)
    simulation.step()
    assert RAG not in simulation.kube.objects


def test_a_stack_that_is_gone_ends_the_pass_quietly() -> None:
    simulation = Simulation(external_spec())
    view = simulation.view()
    simulation.kube.remove(simulation.key)
    outcome = simulation.step(view)
    assert outcome is not None
    assert not outcome.status_written


def test_a_wrong_checksum_is_final_and_says_what_to_correct() -> None:
    simulation = Simulation(local_spec())
    said = {"ok": False, "reason": "ChecksumMismatch", "message": "the file has another sha256", "transient": False}
    simulation.results[SHA["chat"]] = said
    simulation.settle()
    assert simulation.conditions["ModelsFetched"]["reason"] == "ChecksumMismatch"
    assert "correct source.http.sha256" in simulation.conditions["Stalled"]["message"]
    assert simulation.conditions["CodeReady"]["status"] == "True"
    job = next(job for job in simulation.kube.of("Job") if "chat" in job["metadata"]["name"])
    simulation.results.clear()
    simulation.kube.remove(("Job", NAMESPACE, job["metadata"]["name"]))
    simulation.settle()
    assert simulation.conditions["Stalled"]["status"] == "False"
    assert simulation.conditions["ChatReady"]["status"] == "True"


def test_a_fetch_that_was_interrupted_runs_again_by_itself() -> None:
    simulation = Simulation(local_spec())
    simulation.results[SHA["chat"]] = {"ok": False, "reason": "Unreachable", "message": "no route", "transient": True}
    for _ in range(4):
        simulation.step()
        simulation.run_controllers()
    facts = simulation.child("ConfigMap", "facts")["data"]
    assert json.loads(facts[f"fetch.{SHA['chat']}"])["reason"] == "Unreachable"
    simulation.results.clear()
    for _ in range(12):
        simulation.settle()
    assert simulation.conditions["ModelsFetched"]["reason"] == "AllFetched"
    assert f"fetch.{SHA['chat']}" not in simulation.child("ConfigMap", "facts")["data"]


def test_a_model_that_is_fetched_stays_so_when_its_job_and_pod_are_gone() -> None:
    simulation = converge(local_spec())
    before = simulation.child("Deployment", "chat")
    for kind in ("Job", "Pod"):
        for live in list(simulation.kube.of(kind)):
            simulation.kube.objects.pop((kind, NAMESPACE, live["metadata"]["name"]), None)
    simulation.restart()
    simulation.settle(controllers=lambda: None)
    assert simulation.conditions["ModelsFetched"]["reason"] == "AllFetched"
    assert simulation.child("Deployment", "chat")["spec"] == before["spec"]


def test_a_new_model_leaves_the_old_one_running_until_it_is_fetched() -> None:
    simulation = converge(local_spec())
    before = simulation.child("Deployment", "chat")["spec"]
    changed = llama("chat", gpuLayers=0)
    changed["llamaCpp"]["source"]["http"]["sha256"] = "c" * 64
    simulation.set_spec(local_spec(models={"chat": changed, "code": llama("code", gpuLayers=0)}))
    simulation.step()
    simulation.step()
    assert simulation.child("Deployment", "chat")["spec"] == before
    assert simulation.conditions["ChatReady"]["reason"] == "ModelNotFetched"
    assert simulation.conditions["Available"]["status"] == "True"
    simulation.settle()
    assert simulation.child("Deployment", "chat")["spec"] != before
    assert simulation.conditions["Ready"]["status"] == "True"


def test_an_edit_to_a_bad_spec_says_where_and_what_to_do() -> None:
    simulation = converge(external_spec())
    simulation.set_spec({"models": {"chat": external()}, "modle": 1})
    simulation.settle()
    stalled = simulation.conditions["Stalled"]
    assert stalled["reason"] == "InvalidSpec"
    assert "spec.modle: unknown field" in stalled["message"]
    assert "spec.models.code" in stalled["message"]
    assert simulation.conditions["Available"]["status"] == "True"
    assert simulation.conditions["Ready"] | {"message": ""} == {
        "type": "Ready", "status": "False", "reason": "InvalidSpec", "message": "", "observedGeneration": 2,
        "lastTransitionTime": simulation.conditions["Ready"]["lastTransitionTime"],
    }  # fmt: skip


def test_an_ingress_is_an_endpoint() -> None:
    simulation = converge(external_spec(expose={"ingress": {"host": "code.example", "tlsSecretName": "tls"}}))
    assert simulation.stack["status"]["endpoints"]["external"] == "https://code.example"


def condition(kind: str, status: str, reason: str = "R") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": "m"}


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        ([], [condition("Ready", "True")], ["Ready"]),
        ([condition("Ready", "True")], [condition("Ready", "True")], []),
        ([], [condition("Stalled", "True", "InvalidSpec")], ["InvalidSpec"]),
        ([condition("Stalled", "True", "InvalidSpec")], [condition("Stalled", "True", "InvalidSpec")], []),
        ([], [condition("Degraded", "True")], []),
        ([condition("Ready", "True")], [condition("Degraded", "True")], ["Degraded"]),
        ([], [condition("ModelsFetched", "True", "NothingToFetch")], []),
        ([], [condition("ModelsFetched", "True", "AllFetched")], ["ModelsFetched"]),
        ([], [condition("FailoverActive", "True")], ["FailoverActive"]),
    ],
)
def test_only_turns_that_people_want_to_hear_of_are_events(before: Any, after: Any, reasons: list[str]) -> None:
    assert [notice.reason for notice in find_notices(before, after)] == reasons

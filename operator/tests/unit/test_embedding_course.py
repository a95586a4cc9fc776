"""From one embedding model to another: files, both services, and what is remembered of the index that answers."""

import json
from typing import Any

import pytest
from coderag_operator.observed.index import Index, Promotion, Repository, Served
from tests.specs import APP, EVALUATION, MULTILINGUAL, make_stack, merge
from tests.support.simulation import NAMESPACE, Simulation, external_spec

PLACE = make_stack(MULTILINGUAL).spec.embedding.lodging.place
SPEC = external_spec(repositories=[APP])


def report(wanted: str, served: str, model: str, state: str = "Idle") -> Index:
    app = Repository("app", "main", "Served", "a1b2c3d4e5")
    return Index(True, wanted, (app,), Promotion(state), Served(served, model))


def environment(simulation: Simulation, kind: str, name: str) -> dict[str, str]:
    container = simulation.child(kind, name)["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one.get("value", "") for one in container["env"]}


def serving(**more: Any) -> Simulation:
    """Return a stack whose index was built with the model in the image."""
    simulation = Simulation(merge(SPEC, more))
    simulation.index = report("old", "old", "all-MiniLM-L6-v2")
    simulation.settle()
    assert simulation.conditions["Ready"]["status"] == "True"
    return simulation


def facts(simulation: Simulation) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in simulation.child("ConfigMap", "facts")["data"].items()}


def names(simulation: Simulation, kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in simulation.kube.of(kind)}


def test_a_change_of_the_model_leaves_no_moment_without_the_model_of_the_index() -> None:
    simulation = serving()
    simulation.set_spec(merge(SPEC, MULTILINGUAL))
    simulation.step()
    assert environment(simulation, "Deployment", "embedding")["MODEL_NAME"] == "all-MiniLM-L6-v2"
    assert environment(simulation, "Deployment", "embedding-previous")["MODEL_NAME"] == "all-MiniLM-L6-v2"
    assert "EMBEDDING_PREVIOUS_URL" in environment(simulation, "Deployment", "rag")
    assert simulation.conditions["EmbeddingReady"]["reason"] == "ModelNotFetched"
    simulation.settle()
    assert environment(simulation, "Deployment", "embedding")["MODEL_NAME"] == "KURE-v1"
    assert environment(simulation, "Deployment", "embedding-previous")["MODEL_NAME"] == "all-MiniLM-L6-v2"
    assert simulation.conditions["Ready"]["status"] == "True"


def test_the_model_before_goes_when_the_new_index_has_taken_over() -> None:
    simulation = serving()
    simulation.set_spec(merge(SPEC, MULTILINGUAL))
    simulation.index = report("new", "old", "all-MiniLM-L6-v2", "Building")
    simulation.settle()
    assert simulation.conditions["IndexCompatible"]["reason"] == "Rebuilding"
    assert simulation.stack["status"]["index"]["model"] == "all-MiniLM-L6-v2"
    simulation.index = report("new", "new", "KURE-v1", "Promoted")
    simulation.settle()
    assert "demo-embedding-previous" not in names(simulation, "Deployment") | names(simulation, "Service")
    assert "EMBEDDING_PREVIOUS_URL" not in environment(simulation, "Deployment", "rag")
    assert facts(simulation)["embedding.live"] == {"identity": "new", "model": "KURE-v1", "place": PLACE}


def search_pod(name: str, **labels: str) -> dict[str, Any]:
    labels |= {"coderag.dev/stack": "demo", "app.kubernetes.io/component": "rag"}
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "status": status,
    }


def test_neither_model_is_taken_from_a_search_pod_that_asks_it() -> None:
    simulation = serving()
    simulation.kube.add(search_pod("first"))
    simulation.set_spec(merge(SPEC, MULTILINGUAL))
    simulation.settle()
    assert simulation.conditions["EmbeddingReady"]["reason"] == "PreviousStarting"
    assert environment(simulation, "Deployment", "embedding")["MODEL_NAME"] == "all-MiniLM-L6-v2"
    simulation.kube.remove(("Pod", NAMESPACE, "first"))
    simulation.kube.add(search_pod("second", **{"coderag.dev/asks-previous": "true"}))
    simulation.settle()
    assert environment(simulation, "Deployment", "embedding")["MODEL_NAME"] == "KURE-v1"
    simulation.index = report("new", "new", "KURE-v1", "Promoted")
    simulation.settle()
    assert "demo-embedding-previous" in names(simulation, "Deployment") & names(simulation, "Service")
    assert simulation.conditions["Reconciling"]["reason"] == "PreviousAsked"
    assert "EMBEDDING_PREVIOUS_URL" not in environment(simulation, "Deployment", "rag")
    simulation.kube.remove(("Pod", NAMESPACE, "second"))
    simulation.settle()
    assert "demo-embedding-previous" not in names(simulation, "Deployment") | names(simulation, "Service")
    assert simulation.conditions["Ready"]["status"] == "True"


def test_the_way_back_finds_the_files_that_the_spec_names_no_more() -> None:
    simulation = serving(**MULTILINGUAL)
    simulation.index = report("new", "new", "KURE-v1")
    simulation.settle()
    simulation.restart()
    simulation.index = None
    simulation.set_spec(SPEC)
    simulation.settle()
    container = simulation.child("Deployment", "embedding-previous")["spec"]["template"]["spec"]["containers"][0]
    assert container["volumeMounts"][1]["subPath"] == PLACE
    assert "demo-embedding" in names(simulation, "PersistentVolumeClaim")
    simulation.index = report("old", "old", "all-MiniLM-L6-v2")
    simulation.settle()
    assert "demo-embedding" not in names(simulation, "PersistentVolumeClaim")


def test_without_repositories_no_index_needs_the_model_before() -> None:
    simulation = serving()
    simulation.set_spec(merge(SPEC, MULTILINGUAL | {"repositories": []}))
    simulation.settle()
    assert "demo-embedding-previous" not in names(simulation, "Deployment")
    assert "embedding.live" not in facts(simulation)


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [("ChecksumMismatch", "correct source.http.sha256"), ("NoSpace", "raise spec.embedding.storage.size")],
)
def test_files_that_cannot_be_fetched_need_a_person_and_leave_the_service_as_it_is(reason: str, remedy: str) -> None:
    simulation = serving()
    said = {"ok": False, "reason": reason, "message": "tokenizer.json: no", "transient": False}
    simulation.results[PLACE] = said
    simulation.set_spec(merge(SPEC, MULTILINGUAL))
    simulation.settle()
    stalled = simulation.conditions["Stalled"]
    assert (stalled["status"], stalled["reason"]) == ("True", reason)
    assert stalled["message"].startswith(f"spec.embedding: tokenizer.json: no; {remedy}")
    assert environment(simulation, "Deployment", "embedding")["MODEL_NAME"] == "all-MiniLM-L6-v2"


def test_a_download_whose_pod_is_gone_is_not_repeated() -> None:
    simulation = serving(**MULTILINGUAL)
    jobs = {one["metadata"]["uid"] for one in simulation.kube.of("Job")}
    for pod in list(simulation.kube.of("Pod")):
        simulation.kube.remove(("Pod", NAMESPACE, pod["metadata"]["name"]))
    simulation.settle()
    assert {one["metadata"]["uid"] for one in simulation.kube.of("Job")} == jobs
    assert facts(simulation)[f"model.{PLACE}"]["sizeBytes"] == 1000


def with_questions(**more: Any) -> Simulation:
    simulation = Simulation(merge(SPEC, EVALUATION | more))
    questions = {"name": "questions", "namespace": NAMESPACE}
    simulation.kube.add({"apiVersion": "v1", "kind": "ConfigMap", "metadata": questions, "data": {"all.jsonl": "{}"}})
    return simulation


def test_an_evaluation_waits_for_the_index_and_its_result_is_kept() -> None:
    simulation = with_questions()
    simulation.settle()
    assert not names(simulation, "Job")
    assert simulation.conditions["Ready"]["status"] == "True"
    simulation.index = report("old", "old", "all-MiniLM-L6-v2")
    simulation.settle()
    assert simulation.stack["status"]["evaluation"]["passed"] is True
    for pod in list(simulation.kube.of("Pod")):
        simulation.kube.remove(("Pod", NAMESPACE, pod["metadata"]["name"]))
    simulation.restart()
    simulation.settle()
    assert simulation.stack["status"]["evaluation"]["questions"] == 3
    simulation.set_spec(SPEC)
    simulation.settle()
    assert "evaluation" not in simulation.stack["status"]
    assert not names(simulation, "Job")


def test_a_run_that_fails_its_gate_can_still_be_read() -> None:
    simulation = with_questions()
    simulation.results["evaluation"] = {"ok": False, "gates": [{"gate": "ndcg@10>=0.9", "passed": False}]}
    simulation.index = report("old", "old", "all-MiniLM-L6-v2")
    simulation.settle()
    assert simulation.stack["status"]["evaluation"]["gates"] == [{"gate": "ndcg@10>=0.9", "passed": False}]
    assert len(list(simulation.kube.of("Pod"))) == 1
    assert simulation.conditions["Ready"]["status"] == "True"


def test_a_scheduled_evaluation_goes_with_its_field() -> None:
    simulation = with_questions(evaluation=merge(EVALUATION, {"evaluation": {"schedule": "0 4 * * *"}})["evaluation"])
    simulation.index = report("old", "old", "all-MiniLM-L6-v2")
    simulation.settle()
    assert names(simulation, "CronJob") == {"demo-evaluation"}
    simulation.set_spec(SPEC)
    simulation.settle()
    assert not names(simulation, "CronJob")

"""Two embedding models while an index is rebuilt, and where the files of each are."""

from dataclasses import replace
from typing import Any

import pytest
from coderag_operator.api.embedding import Lodging
from coderag_operator.desired import Desired, ModelFact, build, names
from tests.specs import FILES, MULTILINGUAL, make_inputs, make_stack, nest

OLD = Lodging("all-MiniLM-L6-v2")
SERVING = frozenset({"embedding", "embedding-previous"})


def render(*patches: dict[str, Any], **changes: Any) -> Desired:
    stack = make_stack(*patches)
    return build(stack, replace(make_inputs(stack), **changes))


def find(desired: Desired, kind: str, name: str) -> dict[str, Any]:
    return next((one for one in desired.objects if (one["kind"], one["metadata"]["name"]) == (kind, name)), {})


def environment(desired: Desired, kind: str, name: str) -> dict[str, str]:
    container = find(desired, kind, name)["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one.get("value", "") for one in container["env"]}


def pod_labels(desired: Desired) -> dict[str, str]:
    return dict(find(desired, "Deployment", "demo-rag")["spec"]["template"]["metadata"]["labels"])


def test_the_model_of_the_index_that_answers_runs_beside_the_wanted_one():
    desired = render(MULTILINGUAL, live=OLD, serving=SERVING)
    assert environment(desired, "Deployment", "demo-embedding-previous")["MODEL_NAME"] == "all-MiniLM-L6-v2"
    assert environment(desired, "Deployment", "demo-embedding")["MODEL_NAME"] == "KURE-v1"
    for kind, name in (("Deployment", "demo-rag"), ("StatefulSet", "demo-ingestion")):
        url = environment(desired, kind, name)["EMBEDDING_PREVIOUS_URL"]
        assert url == "http://demo-embedding-previous.team.svc:8003"
    assert find(desired, "Service", "demo-embedding-previous")["spec"]["selector"] == {
        "app.kubernetes.io/name": "coderag",
        "app.kubernetes.io/instance": "demo",
        "app.kubernetes.io/component": "embedding-previous",
    }
    assert find(desired, "NetworkPolicy", "demo-embedding-previous")


@pytest.mark.parametrize(
    ("patch", "live"),
    [({}, None), ({}, OLD), ({"repositories": []}, Lodging("KURE-v1", "claim:models/kure"))],
    ids=["nothing is known", "the wanted one is live", "nobody searches"],
)
def test_one_model_runs_where_no_other_is_needed(patch: dict[str, Any], live: Lodging | None):
    desired = render(patch, live=live, serving=frozenset({"embedding"}))
    assert not find(desired, "Deployment", "demo-embedding-previous")
    assert "EMBEDDING_PREVIOUS_URL" not in environment(desired, "Deployment", "demo-rag")
    assert desired.frozen == {}


def test_the_wanted_model_waits_until_the_one_before_runs_beside_it():
    desired = render(MULTILINGUAL, live=OLD, serving=frozenset({"embedding"}))
    assert {name: one.reason for name, one in desired.frozen.items()} == {"embedding": "PreviousStarting"}
    assert "when embedding-previous runs, with all-MiniLM-L6-v2" in desired.frozen["embedding"].message
    assert find(desired, "Deployment", "demo-embedding-previous")


def test_the_wanted_model_waits_until_every_search_pod_knows_of_the_one_before():
    desired = render(MULTILINGUAL, live=OLD, serving=SERVING, asking=frozenset({True, False}))
    assert {name: one.reason for name, one in desired.frozen.items()} == {"embedding": "PreviousStarting"}
    assert "when every search pod asks embedding-previous, too" in desired.frozen["embedding"].message
    assert render(MULTILINGUAL, live=OLD, serving=SERVING, asking=frozenset({True})).frozen == {}


def test_the_model_before_stays_as_it_is_until_no_search_pod_asks_it():
    desired = render(live=OLD, serving=SERVING, asking=frozenset({True, False}))
    assert {name: one.reason for name, one in desired.frozen.items()} == {"embedding-previous": "PreviousAsked"}
    assert find(desired, "NetworkPolicy", "demo-embedding-previous")
    assert names.ASKS_PREVIOUS_LABEL not in pod_labels(desired)
    assert render(live=OLD, serving=SERVING, asking=frozenset({False})).frozen == {}


def test_search_pods_are_marked_by_whether_they_ask_the_model_before():
    assert pod_labels(render(MULTILINGUAL, live=OLD))[names.ASKS_PREVIOUS_LABEL] == "true"


@pytest.mark.parametrize("how", ["suspend", "maintenance"])
def test_a_stack_that_is_stopped_waits_for_no_model(how: str):
    assert render(MULTILINGUAL, {how: True}, live=OLD).frozen == {}
    assert render(MULTILINGUAL, {how: True}, live=OLD, serving=SERVING, asking=frozenset({False})).frozen == {}


def test_other_files_of_the_same_model_are_another_model():
    files = [FILES["files"][0], {"path": "model_int8.onnx", "sha256": "9" * 64}]
    before = make_stack(MULTILINGUAL).spec.embedding.lodging
    desired = render(MULTILINGUAL, nest("embedding.source.http.files", files), live=before, serving=SERVING)
    assert find(desired, "Deployment", "demo-embedding-previous")


def test_files_from_a_mirror_are_the_same_model():
    moved = make_stack(MULTILINGUAL, nest("embedding.source.http.url", "https://mirror.example.com/x"))
    assert moved.spec.embedding.lodging == make_stack(MULTILINGUAL).spec.embedding.lodging


def test_a_model_that_is_not_fetched_yet_leaves_the_service_as_it_is():
    desired = render(MULTILINGUAL, models={})
    assert desired.frozen["embedding"].reason == "ModelNotFetched"
    assert desired.frozen["embedding"].message == "the files of KURE-v1 are not on their claim yet"


def test_files_on_a_claim_that_is_gone_do_not_count():
    place = make_stack(MULTILINGUAL).spec.embedding.lodging.place
    models = {**make_inputs(make_stack()).models, place: ModelFact("another")}
    assert set(render(MULTILINGUAL, models=models).frozen) == {"embedding"}
    assert set(render(MULTILINGUAL, models=models, embedding_uid="another").frozen) == set()


def test_the_download_waits_for_its_claim():
    desired = render(MULTILINGUAL, embedding_uid="")
    assert desired.frozen["models"].message == "claim demo-embedding is being created"
    assert find(desired, "PersistentVolumeClaim", "demo-embedding")


def test_pods_on_the_claim_are_on_one_node_with_its_download():
    desired = render(MULTILINGUAL)
    jobs = [one for one in desired.objects if one["metadata"]["name"].startswith("demo-fetch-embedding-")]
    for one in (*jobs, find(desired, "Deployment", "demo-embedding")):
        template = one["spec"]["template"]
        (term,) = template["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert len(jobs) == 1


def test_the_claim_stays_as_long_as_the_model_before_is_on_it():
    before = make_stack(MULTILINGUAL).spec.embedding.lodging
    assert find(render(live=before, serving=SERVING), "PersistentVolumeClaim", "demo-embedding")
    assert not find(render(live=OLD, serving=SERVING), "PersistentVolumeClaim", "demo-embedding")


def test_the_model_before_has_no_fallback_onto_itself():
    desired = render(MULTILINGUAL, nest("embedding.fallback", OLD.model), live=OLD, serving=SERVING)
    assert environment(desired, "Deployment", "demo-embedding")["MODEL_FALLBACK"] == OLD.model
    assert "MODEL_FALLBACK" not in environment(desired, "Deployment", "demo-embedding-previous")


def test_before_the_keys_exist_the_model_before_waits_too():
    desired = render(MULTILINGUAL, live=OLD, secrets={})
    assert desired.frozen["embedding-previous"].reason == "KeysPending"

"""Live objects become small projections that hold what is needed and no secret."""

from typing import Any

import pytest
from coderag_operator.observed import project
from coderag_operator.observed.child import digest
from coderag_operator.observed.details import Claim, Data, Job, Nothing, Pod, Route, Workload


def live(kind: str, **body: Any) -> dict[str, Any]:
    labels = {"coderag.dev/stack": "demo", "app.kubernetes.io/component": body.pop("component", "rag")}
    metadata = {"name": "x", "namespace": "team", "uid": "u1", "resourceVersion": "7", "labels": labels}
    return {"kind": kind, **body, "metadata": {**metadata, **body.get("metadata", {})}}


def test_a_child_knows_its_stack_component_and_controller() -> None:
    owners = [{"uid": "no", "controller": False}, {"uid": "yes", "controller": True}]
    child = project(live("Service", metadata={"ownerReferences": owners}))
    assert (child.stack, child.component, child.owner, child.key) == ("demo", "rag", "yes", ("Service", "x"))
    assert not child.deleting
    assert child.details == Nothing()


def test_a_bare_object_is_projected_too() -> None:
    child = project({"kind": "Service", "metadata": {"name": "x"}})
    assert (child.namespace, child.uid, child.version, child.stack, child.owner) == ("", "", "", "", "")


def deployment(**metadata: Any) -> str:
    return project(live("Deployment", metadata={"generation": 1, **metadata})).revision


def test_pods_that_become_ready_do_not_change_the_revision_of_a_workload() -> None:
    before = deployment(resourceVersion="1")
    assert deployment(resourceVersion="2", annotations={"deployment.kubernetes.io/revision": "3"}) == before
    for change in ({"generation": 2}, {"labels": {}}, {"annotations": {"a": "b"}}, {"ownerReferences": [{"uid": "x"}]}):
        assert deployment(**change) != before


def test_the_revision_of_what_has_no_generation_is_its_version() -> None:
    assert project(live("Service")).revision == project(live("Deployment")).revision == "7"


def test_an_object_that_is_being_deleted_says_so() -> None:
    assert project(live("Service", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})).deleting


@pytest.mark.parametrize(
    ("status", "converged", "serving"),
    [
        ({}, False, False),
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, True, True),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, False, True),
        ({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 2}, False, True),
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 1}, False, True),
        ({"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2}, False, False),
    ],
)
def test_a_workload_has_converged_on_pods_of_its_latest_template_only(
    status: dict[str, int], converged: bool, serving: bool
) -> None:
    child = project(live("Deployment", metadata={"generation": 3}, spec={"replicas": 2}, status=status))
    assert isinstance(child.details, Workload)
    assert (child.details.converged, child.details.serving) == (converged, serving)


def test_a_workload_keeps_the_fields_that_cannot_change_and_whether_it_is_late() -> None:
    conditions = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]
    spec = {"serviceName": "s", "selector": {"a": "b"}, "paused": True}
    details = project(live("StatefulSet", spec=spec, status={"conditions": conditions})).details
    assert isinstance(details, Workload)
    assert (details.late, details.paused, details.wanted) == (True, True, 1)
    assert details.frozen_fields == {"serviceName": "s", "selector": {"a": "b"}}


def test_a_job_tells_its_model_and_how_it_ended() -> None:
    annotations = {"annotations": {"coderag.dev/sha256": "abc"}}
    failed = {"conditions": [{"type": "Failed", "status": "True"}, {"type": "Complete", "status": "False"}]}
    assert project(live("Job", metadata=annotations, status=failed)).details == Job("abc", failed=True)
    assert project(live("Job", status={"active": 1})).details == Job(active=True)


def test_a_pod_tells_why_it_does_not_run() -> None:
    status = {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "no node"},
            {"type": "Ready", "status": "False"},
        ],
        "initContainerStatuses": [{"image": "i", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
        "containerStatuses": [{"image": "j", "state": {"waiting": {"reason": "PodInitializing"}}}],
    }
    pod = project(live("Pod", status=status)).details
    assert pod == Pod(phase="Pending", unschedulable="no node", waiting=(("ImagePullBackOff", "i"),))


def test_a_pod_tells_which_of_its_containers_failed_and_their_last_words() -> None:
    crashed = {"terminated": {"exitCode": 1, "message": "cudaMalloc failed: out of memory"}}
    statuses = [
        {"restartCount": 2, "state": {"running": {}}, "lastState": crashed},
        {"restartCount": 0, "state": {"terminated": {"exitCode": 137}}},
        {"restartCount": 1, "state": {"terminated": {"exitCode": 0, "message": "done"}}},
    ]
    details = project(live("Pod", status={"containerStatuses": statuses})).details
    assert isinstance(details, Pod)
    assert details.crashes == ((0, ""), (1, "cudaMalloc failed: out of memory"))


def test_a_pod_keeps_what_its_containers_said_at_the_end() -> None:
    ended = [
        {"state": {"terminated": {"message": "said"}}},
        {"state": {"terminated": {}}},
        {"state": {"running": {}}},
        {},
    ]
    conditions = [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True", "message": "x"}]
    status = {"phase": "Failed", "reason": "Evicted", "containerStatuses": ended, "conditions": conditions}
    labels = {"coderag.dev/serves-chat": "true", "coderag.dev/serves-code": "false"}
    pod = project(live("Pod", status=status, metadata={"labels": labels})).details
    assert isinstance(pod, Pod)
    assert (pod.endings, pod.serves, pod.evicted, pod.ready) == (("said",), frozenset({"chat"}), "Evicted", True)
    assert pod.unschedulable == ""


def test_a_claim_tells_its_size() -> None:
    spec = {"resources": {"requests": {"storage": "1Gi"}}}
    assert project(live("PersistentVolumeClaim", spec=spec, status={"phase": "Bound"})).details == Claim("Bound", "1Gi")
    assert project(live("PersistentVolumeClaim")).details == Claim()


def test_a_secret_is_a_checksum_and_key_names() -> None:
    details = project(live("Secret", data={"api-key": "dmFsdWU="})).details
    assert isinstance(details, Data)
    assert details.keys == {"api-key"}
    assert "dmFsdWU=" not in repr(details)


def test_only_the_facts_keep_their_values() -> None:
    facts = project(live("ConfigMap", component="facts", data={"a": "1"})).details
    other = project(live("ConfigMap", data={"a": "1"}, binaryData={"b": "Mg=="})).details
    assert isinstance(facts, Data)
    assert isinstance(other, Data)
    assert (facts.values, other.values, other.keys) == ({"a": "1"}, {}, {"a", "b"})


def test_an_ingress_tells_its_addresses() -> None:
    entries = [{"ip": "1.2.3.4"}, {"hostname": "a.example"}]
    assert project(live("Ingress", status={"loadBalancer": {"ingress": entries}})).details == Route(
        ("1.2.3.4", "a.example")
    )
    assert project(live("Ingress")).details == Route()


def test_a_checksum_does_not_depend_on_order() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1})

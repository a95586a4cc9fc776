"""What someone deletes or edits comes back, and at rest the operator writes nothing."""

import json
import time

import pytest

from e2e.scenarios.audit import read_requests
from e2e.waiting import wait_until

OPERATOR = "system:serviceaccount:coderag-system:coderag-operator"
EDITS = {
    "deployment/{0}-rag": [{"op": "replace", "path": "/spec/replicas", "value": 3}],
    "statefulset/{0}-ingestion": [
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "localhost/x:y"}
    ],
    "service/{0}-embedding": [{"op": "replace", "path": "/spec/ports/0/port", "value": 9999}],
    "configmap/{0}-gateway": [{"op": "replace", "path": "/data", "value": {"config.yaml": "{}"}}],
    "poddisruptionbudget/{0}-chat": [{"op": "replace", "path": "/spec/maxUnavailable", "value": 0}],
    "networkpolicy/{0}-rag": [{"op": "replace", "path": "/spec/ingress", "value": []}],
    "serviceaccount/{0}-rag": [{"op": "replace", "path": "/automountServiceAccountToken", "value": True}],
}


def read_owned(stack, target):
    """Return what of an object is ours to keep: everything but metadata that changes and status."""
    found = stack.get(target)
    return {key: value for key, value in found.items() if key not in {"metadata", "status"}}


@pytest.mark.parametrize("target", EDITS)
def test_an_edited_field_comes_back(stack, target):
    name = target.format(stack.name)
    before = read_owned(stack, name)
    stack.kubectl("patch", name, "--type=json", "-p", json.dumps(EDITS[target]))
    wait_until(lambda: read_owned(stack, name) == before, f"{name} as it was")


@pytest.mark.parametrize("target", [*EDITS, "job"])
def test_a_deleted_child_comes_back(stack, target):
    name = target.format(stack.name) if target != "job" else "job/" + stack.children("jobs")[0]["metadata"]["name"]
    old = stack.get(name)["metadata"]["uid"]
    stack.kubectl("delete", name, "--wait=false")
    if target == "job":
        return  # its result is a fact: a finished fetch is not done again
    wait_until(lambda: stack.get(name).get("metadata", {}).get("uid", old) != old, f"{name} new")


def test_an_ingress_comes_with_expose_and_goes_with_it(stack):
    ingress = {"host": "assistant.example.com", "tlsSecretName": "assistant-tls"}
    stack.patch({"expose": {"ingress": ingress}})
    wait_until(lambda: stack.children("ingress"), "an Ingress")
    assert stack.children("ingress")[0]["spec"]["rules"][0]["host"] == "assistant.example.com"
    stack.patch({"expose": {"ingress": None}})
    wait_until(lambda: not stack.children("ingress"), "no Ingress")


def test_at_rest_the_operator_writes_nothing_but_its_lease(stack):
    log = stack.cluster.audit_log
    if log is None:
        pytest.skip("this cluster's audit log cannot be read from here")
    stack.wait("Ready", "IndexReady")
    time.sleep(60)  # 60 s after convergence is where the claim begins
    offset = log.stat().st_size
    time.sleep(60)  # and it is about 60 s of rest
    writes = [r for r in read_requests(log, OPERATOR, offset) if r.is_write]
    assert writes, "the Lease was not renewed: is the operator running?"
    assert [r for r in writes if not r.is_own_lease] == []

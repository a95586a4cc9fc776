"""The operator killed, a spec that cannot be, a Secret that is missing: what runs keeps running."""

import json

import pytest

from e2e.kubectl import CommandError
from e2e.progress import is_current, read_conditions
from e2e.waiting import wait_until

SYSTEM = ("-n", "coderag-system")
CREDENTIALS = "/spec/repositories/0/credentialsSecretRef"


def read_pods(stack):
    """Return the uids of the pods that serve and are not on their way out."""
    running = [p["metadata"] for p in stack.children("pods") if p["status"]["phase"] == "Running"]
    return {metadata["uid"] for metadata in running if "deletionTimestamp" not in metadata}


def condition(stack, kind):
    return read_conditions(stack.get("crs", stack.name)).get(kind, {})


def test_the_operator_killed_in_the_middle_of_a_rollout_converges_after_restart(stack):
    stack.patch(
        {
            "rag": {"podAnnotations": {"example.com/test-kill": "1"}},
            "gateway": {"podAnnotations": {"example.com/test-kill": "1"}},
        }
    )
    stack.cluster.kubectl(
        *SYSTEM, "delete", "pod", "-l", "app.kubernetes.io/name=coderag-operator", "--grace-period=0", "--force"
    )
    stack.wait("Ready", seconds=300)
    annotations = [
        stack.get(f"deployment/{stack.name}-{c}")["spec"]["template"]["metadata"]["annotations"]
        for c in ("rag", "gateway")
    ]
    assert all(a.get("example.com/test-kill") == "1" for a in annotations)
    stack.patch({"rag": {"podAnnotations": None}, "gateway": {"podAnnotations": None}})


def test_a_spec_that_the_schema_refuses_changes_nothing(stack):
    before = stack.get("crs", stack.name)["spec"]
    with pytest.raises(CommandError, match=r"spec\.rag\.replicas"):
        stack.patch({"rag": {"replicas": -1}})
    assert stack.get("crs", stack.name)["spec"] == before


def test_a_missing_secret_is_named_and_leaves_the_running_pods(stack):
    before = read_pods(stack)
    stack.kubectl("patch", "crs", stack.name, "--type=json", "-p", json.dumps(
        [{"op": "add", "path": CREDENTIALS, "value": {"name": "nowhere"}}]))  # fmt: skip
    wait_until(lambda: condition(stack, "Ready").get("status") == "False", "Ready False")
    found = condition(stack, "Stalled")
    assert "nowhere" in found["message"] or "nowhere" in condition(stack, "Ready")["message"]
    assert before <= read_pods(stack)
    stack.kubectl("patch", "crs", stack.name, "--type=json", "-p", json.dumps(
        [{"op": "remove", "path": CREDENTIALS}]))  # fmt: skip


def test_a_wrong_sha256_is_named_and_the_old_model_keeps_serving(stack):
    before = read_pods(stack)
    digest = stack.get("crs", stack.name)["spec"]["models"]["chat"]["llamaCpp"]["source"]["http"]["sha256"]
    stack.patch(with_chat_digest("0" * 64))
    try:
        wait_until(
            lambda: condition(stack, "ModelsFetched").get("reason") == "ChecksumMismatch", "ChecksumMismatch", 120
        )
        assert "sha256" in condition(stack, "ModelsFetched")["message"]
        assert before <= read_pods(stack)
    finally:
        stack.patch(with_chat_digest(digest))


def with_chat_digest(digest):
    """Return the part of a spec that names the chat model's digest."""
    return {"models": {"chat": {"llamaCpp": {"source": {"http": {"sha256": digest}}}}}}


def test_suspend_stops_what_serves_and_keeps_what_was_stored(stack):
    claims = {c["metadata"]["uid"] for c in stack.children("pvc")}
    stack.patch({"suspend": True})
    wait_until(lambda: not read_pods(stack), "no pod running", 180)
    assert {c["metadata"]["uid"] for c in stack.children("pvc")} == claims
    stack.patch({"suspend": False})
    assert is_current(stack.wait("Ready", "IndexReady", seconds=400), "Available")

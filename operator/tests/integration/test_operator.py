"""The whole operator against a real API server, as its ServiceAccount with the rights that the chart gives."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.conftest import IMAGES, Namespace, Plane, Running
from tests.support.live_api import JSON_PATCH, MERGE, OPERATOR_NAMESPACE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
MODEL = {"external": {"baseUrl": "https://llm.example/v1", "model": "m"}}
SPEC = {"models": {"chat": MODEL, "code": MODEL}}
INGRESS = {"expose": {"ingress": {"host": "code.example", "tlsSecretName": "tls"}}}
LOCAL = {
    "gpu": {"sharing": "None"},
    "models": {
        "chat": {
            "llamaCpp": {"gpuLayers": 0, "source": {"http": {"url": "https://hub.example/a.gguf", "sha256": "a" * 64}}}
        },
        "code": MODEL,
    },
}
PARTS = (Path(__file__).parents[2], Path(__file__).parents[3] / "images/model")  # what the image has on its path
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/coderag-operator"
# What somebody may do to a field that is ours, for each kind of child.
EDITS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "deployments": (
        "demo-rag",
        [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other:1"}],
    ),
    "statefulsets": ("demo-qdrant", [{"op": "replace", "path": "/spec/replicas", "value": 0}]),
    "services": ("demo-rag", [{"op": "replace", "path": "/spec/ports/0/port", "value": 9999}]),
    "configmaps": ("demo-gateway", [{"op": "replace", "path": "/data/config.yaml", "value": "{}"}]),
    "serviceaccounts": ("demo-rag", [{"op": "replace", "path": "/automountServiceAccountToken", "value": True}]),
    "networkpolicies": ("demo-rag", [{"op": "replace", "path": "/spec/ingress", "value": []}]),
    "poddisruptionbudgets": ("demo-rag", [{"op": "replace", "path": "/spec/maxUnavailable", "value": 0}]),
    "ingresses": ("demo-expose", [{"op": "replace", "path": "/spec/rules/0/host", "value": "other.example"}]),
    "persistentvolumeclaims": ("demo-ingestion", [{"op": "remove", "path": "/metadata/ownerReferences"}]),
    "jobs": ("", [{"op": "replace", "path": "/metadata/labels/app.kubernetes.io~1name", "value": "other"}]),
}


async def test_a_stack_becomes_ready_and_then_nothing_is_written(namespace: Namespace, operator: Running) -> None:
    async with operator():
        await namespace.create(SPEC)
        await namespace.wait_ready()
        await namespace.rest()
        since = namespace.live.audit.stat().st_size
        await asyncio.sleep(5)
        assert namespace.live.writes(since) == []
        stack = await namespace.live.call("GET", namespace.stack_path)
    assert stack["status"]["summary"] == {"serving": "chat=external,code=external", "vram": "-", "indexed": "-"}
    assert not stack["metadata"].get("finalizers")
    assert not stack["metadata"].get("annotations")
    assert {one["manager"] for one in stack["metadata"]["managedFields"]} == {"tests", "coderag-operator-status"}


async def test_every_kind_of_child_comes_back_deleted_or_edited(namespace: Namespace, operator: Running) -> None:
    async with operator():
        await namespace.create({**LOCAL, **INGRESS})
        for plural, (name, edit) in EDITS.items():
            await check_comes_back(namespace, plural, name, edit)
        await namespace.wait_condition("Stalled", "NotStalled")


async def check_comes_back(namespace: Namespace, plural: str, name: str, edit: list[dict[str, Any]]) -> None:
    """Edit a child and delete it; each time wait until it is as it was."""
    live = namespace.live

    async def first() -> dict[str, Any] | None:
        items = (await live.call("GET", namespace.path(plural)))["items"]
        return next((one for one in items if one["metadata"]["name"] == name or not name), None)

    before = await live.wait(first)
    path = namespace.path(plural, before["metadata"]["name"])

    async def same() -> bool:
        found = await live.find(path)
        return found is not None and strip(found) == strip(before)

    await namespace.rest()
    before = await live.call("GET", path)
    edited = await live.call("PATCH", path, edit, JSON_PATCH)  # the answer, since a look may come after the repair
    assert strip(edited) != strip(before), f"the edit of {plural} changes nothing"
    await live.wait(same, 20)
    if plural == "persistentvolumeclaims":
        return  # a claim in use is only marked by the API server: nothing that this control plane could finish
    await live.call("DELETE", path, {"propagationPolicy": "Background"})
    await live.wait(same, 20)


def strip(live: dict[str, Any]) -> dict[str, Any]:
    """Return what is ours in an object: not its versions, nor what the API server gives each new one."""
    spec = {
        key: value for key, value in live.get("spec", {}).items() if key not in ("clusterIP", "clusterIPs", "selector")
    }
    metadata = {key: live["metadata"].get(key) for key in ("labels", "ownerReferences", "name")}
    if live["kind"] == "Job":
        spec["template"]["metadata"]["labels"] = None
    return {**metadata, "spec": spec, "data": live.get("data"), "mount": live.get("automountServiceAccountToken")}


async def test_what_the_spec_drops_is_pruned(namespace: Namespace, operator: Running) -> None:
    async with operator():
        await namespace.create({**SPEC, **INGRESS})
        await namespace.wait_ready()
        assert (await namespace.live.call("GET", namespace.path("ingresses")))["items"]
        await namespace.edit({"expose": {"ingress": None}})

        async def pruned() -> bool:
            return not (await namespace.live.call("GET", namespace.path("ingresses")))["items"]

        await namespace.live.wait(pruned)
        await namespace.wait_ready()


async def test_a_missing_secret_freezes_its_component_and_is_noticed_when_it_comes(
    namespace: Namespace, operator: Running
) -> None:
    live, gateway = namespace.live, namespace.path("deployments", "demo-gateway")
    async with operator():
        await namespace.create(SPEC)
        await namespace.wait_ready()
        before = await live.call("GET", gateway)
        keyed = {"external": {**MODEL["external"], "apiKeySecretRef": {"name": "llm", "key": "token"}}}
        await namespace.edit({"models": {"chat": keyed}})
        stalled = await namespace.wait_condition("Stalled", "SecretMissing")
        assert "llm" in stalled["message"]
        assert (await namespace.conditions())["Available"]["status"] == "True"
        assert (await live.call("GET", gateway))["metadata"]["generation"] == before["metadata"]["generation"]
        await live.call("POST", namespace.path("secrets"), {"metadata": {"name": "llm"}, "stringData": {"token": "x"}})
        await namespace.wait_ready()
        assert (await live.call("GET", gateway))["metadata"]["generation"] > before["metadata"]["generation"]


async def test_a_fetch_job_that_says_its_file_is_there_lets_the_model_start(
    namespace: Namespace, operator: Running
) -> None:
    live = namespace.live
    async with operator():
        await namespace.create(LOCAL)

        async def job() -> Any:
            return next(iter((await live.call("GET", namespace.path("jobs")))["items"]), None)

        found = await live.wait(job)
        await end_job(namespace, found, {"ok": True, "file": "a.gguf", "sizeBytes": 7, "header": {"layers": 2}})

        async def chat() -> Any:
            return await live.find(namespace.path("deployments", "demo-chat"))

        await live.wait(chat)
        await namespace.wait_ready()
    facts = await live.call("GET", namespace.path("configmaps", "demo-facts"))
    assert json.loads(facts["data"]["model." + "a" * 64])["header"] == {"layers": 2}
    assert (await namespace.conditions())["ModelsFetched"]["reason"] == "AllFetched"


async def end_job(namespace: Namespace, job: dict[str, Any], said: dict[str, Any]) -> None:
    """Be the Job controller and the kubelet: a pod that ended with this message."""
    metadata = job["metadata"]
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    spec = {"containers": [{"name": "fetch", "image": "x"}]}
    body = {"metadata": {"name": "fetch-pod", "labels": metadata["labels"], "ownerReferences": [owner]}, "spec": spec}
    await namespace.live.call("POST", namespace.path("pods"), body)
    ended = {"terminated": {"exitCode": 0, "message": json.dumps(said)}}
    container = {"name": "fetch", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": ended}
    status = {"status": {"phase": "Succeeded", "containerStatuses": [container]}}
    await namespace.live.call("PATCH", namespace.path("pods", "fetch-pod") + "/status", status, MERGE)


async def test_an_operator_of_one_namespace_leaves_the_others_alone(namespace: Namespace, operator: Running) -> None:
    live, other = namespace.live, Namespace(namespace.live, f"{namespace.name}-other")
    await live.call("POST", "/api/v1/namespaces", {"metadata": {"name": other.name}})
    await other.create(SPEC)
    async with operator(watch_namespaces=(namespace.name,)):
        await namespace.create(SPEC)
        await namespace.wait_ready()
        assert (await live.call("GET", other.path("services")))["items"] == []
        assert (await other.conditions())["Ready"]["reason"] == "Pending"
    await live.call("DELETE", other.stack_path)


async def test_the_lease_is_given_back_and_health_tells_the_phase(namespace: Namespace, operator: Running) -> None:
    live = namespace.live
    async with operator(pod_name="first", health_port=18571) as first:
        await asyncio.wait_for(first.leading.wait(), 20)
        async with operator(pod_name="second", health_port=18572) as second:
            async with httpx.AsyncClient(trust_env=False) as client:

                async def standby() -> bool:
                    with contextlib.suppress(httpx.TransportError):
                        return (await client.get("http://127.0.0.1:18572/readyz")).text == "standby\n"
                    return False

                await live.wait(standby)

                async def leading() -> bool:
                    return (await client.get("http://127.0.0.1:18571/readyz")).text == "leading\n"

                await live.wait(leading)
            assert not second.leading.is_set()
    assert (await live.call("GET", LEASE))["spec"]["holderIdentity"] == ""


async def test_an_operator_that_is_killed_on_the_way_is_made_good_by_the_next(
    namespace: Namespace, operator: Running, plane: Plane
) -> None:
    live = namespace.live
    environ = {
        **os.environ, "KUBECONFIG": str(plane.operator), "POD_NAME": "pod", "POD_NAMESPACE": OPERATOR_NAMESPACE,
        "PYTHONPATH": os.pathsep.join(map(str, PARTS)), "CODERAG_HEALTH_PORT": "0", "CODERAG_METRICS_PORT": "0",
        "CODERAG_LISTEN_HOST": "127.0.0.1", **{f"CODERAG_IMAGE_{name.upper()}": one for name, one in IMAGES.items()},
    }  # fmt: skip
    command = [sys.executable, "-m", "coderag_operator", "run"]
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.DEVNULL)
    await namespace.create(SPEC)

    async def begun() -> bool:
        return bool((await live.call("GET", namespace.path("services")))["items"])

    await live.wait(begun)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with operator():
        await namespace.wait_ready()


async def test_the_rights_that_the_chart_gives_are_enough(namespace: Namespace) -> None:
    refused = [
        f"{one['verb']} {one['objectRef'].get('resource')}"
        for one in namespace.live.requests()
        if one.get("responseStatus", {}).get("code") in (401, 403)
    ]
    assert refused == []

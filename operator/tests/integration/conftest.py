"""A real kube-apiserver and etcd for each file of tests, and the operator with the rights that the chart gives it."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from coderag_operator.engine.process import Process
from coderag_operator.settings import Settings
from tests.support.live_api import MERGE, OPERATOR_NAMESPACE, Live, connect, install

from e2e.cluster.control_plane import ControlPlane

IMAGES = {
    name: f"registry.example/coderag-{name}:1" for name in ("llama", "model", "embedding", "rag", "gateway", "qdrant")
}
NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Plane:
    """Where the API server is, and the kubeconfig of the operator."""

    folder: Path
    server: str
    audit: Path
    operator: Path


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """Bring an API server up, with the CRD and the operator's account.

    One for each file: what others leave behind, thousands of children that nothing collects, an operator would list.
    """
    with ControlPlane() as running:
        status = running.status()
        folder, audit = Path(status.kubeconfig).parent, Path(status.audit_log)

        async def prepare() -> Path:
            live = connect(folder, status.address, audit)
            async with live.http:
                return await install(live, folder / "pki/ca.crt", tmp_path_factory.mktemp("access"))

        yield Plane(folder, status.address, audit, asyncio.run(prepare()))


@pytest.fixture
async def live(plane: Plane) -> AsyncIterator[Live]:
    """The API server as its administrator."""
    found = connect(plane.folder, plane.server, plane.audit)
    async with found.http:
        yield found


@dataclass
class Namespace:
    """A namespace of one test, with a stack named demo in it."""

    live: Live
    name: str

    @property
    def stack_path(self) -> str:
        """Return the path of the stack."""
        return f"/apis/coderag.dev/v1alpha1/namespaces/{self.name}/coderagstacks/demo"

    def path(self, plural: str, name: str = "") -> str:
        """Return the path of a child, or of all of a kind."""
        roots = {
            "deployments": "apis/apps/v1", "statefulsets": "apis/apps/v1", "jobs": "apis/batch/v1",
            "ingresses": "apis/networking.k8s.io/v1", "networkpolicies": "apis/networking.k8s.io/v1",
            "poddisruptionbudgets": "apis/policy/v1",
        }  # fmt: skip
        return "/".join(filter(None, [f"/{roots.get(plural, 'api/v1')}/namespaces/{self.name}/{plural}", name]))

    async def create(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Create the stack."""
        body = {
            "apiVersion": "coderag.dev/v1alpha1",
            "kind": "CodeRagStack",
            "metadata": {"name": "demo"},
            "spec": spec,
        }
        return await self.live.call("POST", self.stack_path.rpartition("/")[0], body)

    async def edit(self, patch: dict[str, Any]) -> dict[str, Any]:
        """Edit the stack's spec."""
        return await self.live.call("PATCH", self.stack_path, {"spec": patch}, MERGE)

    async def conditions(self) -> dict[str, dict[str, Any]]:
        """Return the conditions by type."""
        stack = await self.live.call("GET", self.stack_path)
        return {one["type"]: one for one in stack.get("status", {}).get("conditions", [])}

    async def make_ready(self) -> None:
        """Be the kubelet: patch readiness into every workload."""
        for plural in ("deployments", "statefulsets"):
            for one in (await self.live.call("GET", self.path(plural)))["items"]:
                wanted, generation = one["spec"].get("replicas", 1), one["metadata"]["generation"]
                numbers = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), wanted)
                status = {"status": {"observedGeneration": generation, **numbers}}
                path = self.path(plural, one["metadata"]["name"]) + "/status"
                await self.live.call("PATCH", path, status, MERGE)

    async def wait_ready(self) -> None:
        """Wait until the stack is Ready at its generation, making pods ready on the way."""

        async def ready() -> bool:
            await self.make_ready()
            stack = await self.live.call("GET", self.stack_path)
            found = {one["type"]: one for one in stack.get("status", {}).get("conditions", [])}.get("Ready", {})
            return found.get("status") == "True" and found["observedGeneration"] == stack["metadata"]["generation"]

        await self.live.wait(ready)

    async def wait_condition(self, kind: str, reason: str) -> dict[str, Any]:
        """Wait until a condition has a reason, and return it."""

        async def reached() -> dict[str, Any] | None:
            found = (await self.conditions()).get(kind, {})
            return found if found.get("reason") == reason else None

        return dict(await self.live.wait(reached))

    async def rest(self) -> None:
        """Wait until the operator has written nothing for two seconds."""

        async def quiet() -> bool:
            since = self.live.audit.stat().st_size
            await asyncio.sleep(2)
            return not self.live.writes(since)

        await self.live.wait(quiet)


@pytest.fixture
async def namespace(live: Live) -> AsyncIterator[Namespace]:
    """A namespace for one test; its stack is deleted afterwards, so that the next test's operator does not see it."""
    name = f"test-{next(NUMBERS)}"
    await live.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    made = Namespace(live, name)
    yield made
    if await live.find(made.stack_path):
        await live.call("DELETE", made.stack_path)


Running = Callable[..., AbstractAsyncContextManager[Process]]


@pytest.fixture
def operator(plane: Plane, namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> Running:
    """Run the operator in this process, for the length of a block."""
    monkeypatch.setenv("KUBECONFIG", str(plane.operator))
    monkeypatch.setattr("coderag_operator.reconcile.LOOK_AGAIN_SECONDS", 1.0)

    @contextlib.asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[Process]:
        options = {
            "pod_name": "pod",
            "pod_namespace": OPERATOR_NAMESPACE,
            "health_port": 0,
            "metrics_port": 0,
            **changes,
        }
        process = Process(Settings(listen_host="127.0.0.1", images=IMAGES, **options))
        task = asyncio.create_task(process.run())
        try:
            yield process
        finally:
            process.stop.set()
            assert await task == 0

    return run

"""A real API server as an administrator sees it, and the operator's account with the rights of the chart."""

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).parents[3]
RULES = ROOT / "charts/coderag/templates/_rules.tpl"
OPERATOR_NAMESPACE, ACCOUNT = "coderag-system", "coderag-operator"
USER = f"system:serviceaccount:{OPERATOR_NAMESPACE}:{ACCOUNT}"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
MERGE, JSON_PATCH, APPLY = (
    f"application/{kind}" for kind in ("merge-patch+json", "json-patch+json", "apply-patch+yaml")
)


@dataclass
class Live:
    """Calls to the API server. Requests that fail raise with the server's own words."""

    http: httpx.AsyncClient
    audit: Path

    async def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> dict[str, Any]:
        """Send a request and return the answer."""
        response = await self.http.request(method, path, content=json.dumps(body), headers={"content-type": kind})
        if response.is_error:
            raise AssertionError(f"{method} {path}: {response.status_code} {response.text[:600]}")
        return dict(response.json())

    async def find(self, path: str) -> dict[str, Any] | None:
        """Return an object, None when there is none."""
        response = await self.http.get(path)
        return dict(response.json()) if response.status_code == 200 else None

    async def wait(self, done: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
        """Wait until something is true, and return it."""
        async with asyncio.timeout(seconds):
            while not (found := await done()):  # noqa: ASYNC110 - there is nobody who could set an event
                await asyncio.sleep(0.1)
        return found

    def requests(self, since: int = 0) -> list[dict[str, Any]]:
        """Return what the operator asked for since a point in the audit log, its own Lease aside."""
        with self.audit.open("rb") as log:
            log.seek(since)
            events = [json.loads(line) for line in log if line.endswith(b"\n")]
        mine = [one for one in events if one["user"]["username"] == USER]
        return [one for one in mine if one.get("objectRef", {}).get("resource") != "leases"]

    def writes(self, since: int = 0) -> list[str]:
        """Return what the operator wrote since a point in the audit log."""
        found = [one for one in self.requests(since) if one["verb"] in WRITES]
        return [f"{one['verb']} {one['objectRef']['resource']}/{one['objectRef'].get('name')}" for one in found]


def connect(folder: Path, server: str, audit: Path) -> Live:
    """Return the API server of a control plane, asked as its administrator."""
    pki = folder / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    client = httpx.AsyncClient(base_url=server, verify=context, timeout=30, trust_env=False)
    client.headers["user-agent"] = "tests"
    return Live(client, audit)


def read_rules() -> list[dict[str, Any]]:
    """Return the rights that the chart gives the operator."""
    text = re.sub(r"\{\{.*?\}\}", "", RULES.read_text(), flags=re.DOTALL)
    return list(yaml.safe_load(text))


async def install(live: Live, ca: Path, folder: Path) -> Path:
    """Install the CRD and the operator's account; returns a kubeconfig that speaks as that account."""
    crd = yaml.safe_load((ROOT / "crds/coderagstacks.coderag.dev.yaml").read_text())
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await live.call("POST", crds, crd)
    await live.call("POST", "/api/v1/namespaces", {"metadata": {"name": OPERATOR_NAMESPACE}})
    accounts = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts"
    await live.call("POST", accounts, {"metadata": {"name": ACCOUNT}})
    lease = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "update"]}]
    await grant(live, "clusterrole", "", read_rules())
    await grant(live, "role", f"/namespaces/{OPERATOR_NAMESPACE}", lease)
    token = await live.call("POST", f"{accounts}/{ACCOUNT}/token", {"spec": {"expirationSeconds": 7200}})
    path = folder / "operator.kubeconfig"
    path.write_text(json.dumps(describe_access(str(live.http.base_url), ca, token["status"]["token"])))
    # The API server calls a definition established a moment before it serves it.
    await live.wait(lambda: live.find("/apis/coderag.dev/v1alpha1/coderagstacks"))
    return path


async def grant(live: Live, kind: str, where: str, rules: list[dict[str, Any]]) -> None:
    """Give the operator's account rights, in one namespace or everywhere."""
    group = "rbac.authorization.k8s.io"
    names = {"role": "Role", "clusterrole": "ClusterRole"}
    await live.call("POST", f"/apis/{group}/v1{where}/{kind}s", {"metadata": {"name": ACCOUNT}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": OPERATOR_NAMESPACE}
    reference = {"apiGroup": group, "kind": names[kind], "name": ACCOUNT}
    binding = {"metadata": {"name": ACCOUNT}, "roleRef": reference, "subjects": [subject]}
    await live.call("POST", f"/apis/{group}/v1{where}/{kind}bindings", binding)


def describe_access(server: str, ca: Path, token: str) -> dict[str, Any]:
    """Return a kubeconfig."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "operator",
        "clusters": [{"name": "c", "cluster": {"server": server.rstrip("/"), "certificate-authority": str(ca)}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": "c", "user": "u"}}],
    }

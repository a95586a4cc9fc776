"""The way in from outside the cluster: one host, the paths of search and ask to rag, everything else to the gateway."""

from collections.abc import Iterator
from typing import Any

from coderag_operator.desired import names
from coderag_operator.desired.context import Context, Manifest

RAG_PATHS = ("/v1/search", "/v1/ask", "/query", "/v1/repositories", "/v1/status")


def ingress(context: Context) -> Iterator[Manifest]:
    """Yield the Ingress where the stack wants one."""
    wanted = context.stack.spec.expose.ingress
    if wanted is None:
        return
    paths = [*(_path(context, path, names.RAG) for path in RAG_PATHS), _path(context, "/", names.GATEWAY)]
    spec: dict[str, Any] = {
        "rules": [{"host": wanted.host, "http": {"paths": paths}}],
        "tls": [{"hosts": [wanted.host], "secretName": wanted.tls_secret_name}],
    }
    if wanted.class_name:
        spec["ingressClassName"] = wanted.class_name
    manifest = context.manifest("networking.k8s.io/v1", "Ingress", names.EXPOSE, spec=spec)
    if wanted.annotations:
        manifest["metadata"]["annotations"] = wanted.annotations
    yield manifest


def _path(context: Context, path: str, component: str) -> dict[str, Any]:
    backend = {"service": {"name": context.name(component), "port": {"name": "http"}}}
    return {"path": path, "pathType": "Prefix", "backend": backend}

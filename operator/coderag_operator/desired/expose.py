"""The way in from outside the cluster: one host, the paths of search and ask to rag, everything else to the gateway.

Webhooks go to the ingestion worker, as long as some repository takes them.
"""

from collections.abc import Iterator
from typing import Any

from coderag_operator.desired import names
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.references import takes_webhooks

RAG_PATHS = ("/v1/search", "/v1/ask", "/query", "/v1/repositories", "/v1/spans", "/v1/status")
WEBHOOK_PATH = "/v1/webhooks"


def ingress(context: Context) -> Iterator[Manifest]:
    """Yield the Ingress where the stack wants one."""
    wanted = context.stack.spec.expose.ingress
    if wanted is None:
        return
    paths = [_path(context, path, names.RAG) for path in RAG_PATHS]
    if takes_webhooks(context.stack):
        paths.append(_path(context, WEBHOOK_PATH, names.INGESTION))
    paths.append(_path(context, "/", names.GATEWAY))
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

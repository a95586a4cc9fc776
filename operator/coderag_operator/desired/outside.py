"""Which addresses outside the stack a component may reach: those that the spec names, by port.

A NetworkPolicy knows no host names, so the address stays open and the port is what is bounded. A host inside the
cluster is reached behind a Service, whose pods may listen on another port than the URL says: there every pod is
allowed, on any port.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from coderag_operator.desired import names
from coderag_operator.desired.context import Context
from coderag_operator.desired.references import downloads, folder, servers

PORTS = {"http": 80, "https": 443, "ssh": 22}
ANYWHERE = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]
ANY_POD: list[dict[str, Any]] = [{"namespaceSelector": {}}]
INSIDE = (".svc", ".svc.cluster.local")


def outside_rules(context: Context, component: str) -> list[dict[str, Any]]:
    """Return the egress rules of a component for everything outside the stack."""
    urls = list(_urls(context, component))
    proxy = context.stack.spec.proxy
    if urls:
        urls += [url for url in (proxy.http_proxy, proxy.https_proxy) if url]
    rules: list[dict[str, Any]] = []
    if any(_inside(url) for url in urls):
        rules.append({"to": ANY_POD})
    if ports := sorted({_port(url) for url in urls if not _inside(url)}):
        rules.append({"to": ANYWHERE, "ports": [{"port": port, "protocol": "TCP"} for port in ports]})
    return rules


def _urls(context: Context, component: str) -> Iterable[str]:
    stack = context.stack
    if component == names.GATEWAY:
        return [server.external.base_url for server in servers(stack).values() if server.external]
    if component == names.INGESTION:
        return [repository.url for repository in stack.spec.repositories]
    if component == names.EVALUATION:
        judge = stack.spec.evaluation.judge if stack.spec.evaluation else None
        return [judge.base_url] if judge else []
    if component == names.MODELS:
        files = folder(stack)
        return [*(source.url for source in downloads(stack).values()), *([files.url] if files else [])]
    return []


def _inside(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return "." not in host or host.endswith(INSIDE)


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or PORTS[parts.scheme]

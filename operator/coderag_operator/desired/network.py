"""NetworkPolicies: each component takes and makes only the connections that are listed here."""

from collections.abc import Iterator
from typing import Any

from coderag_operator.desired import names
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.outside import outside_rules
from coderag_operator.desired.references import downloads_anything, local_servers, takes_webhooks
from coderag_operator.desired.served import find_previous, is_retiring

Rule = dict[str, Any]

# Who calls whom inside the stack.
CALLS = {
    names.GATEWAY: (names.CHAT, names.CODE, names.RAG, names.EMBEDDING),
    names.RAG: (names.QDRANT, names.EMBEDDING, names.PREVIOUS, names.GATEWAY, names.CHAT, names.CODE),
    names.INGESTION: (names.QDRANT, names.EMBEDDING, names.PREVIOUS),
    names.EVALUATION: (names.RAG,),
}
# Where people and their programs knock: any pod of the namespace may, the keys decide.
DOORS = (names.GATEWAY, names.RAG, names.INGESTION)
# What an Ingress leads to.
EXPOSED = (names.GATEWAY, names.RAG)
# The operator asks every service how it is. The chart gives its pod this label, whatever the release is called.
OPERATOR = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"coderag.dev/part": "operator"}}}
# Any address: cluster DNS may be a pod, a node's cache or a process of the host.
DNS: Rule = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def policies(context: Context) -> Iterator[Manifest]:
    """Yield one policy per component that has pods."""
    present = [*local_servers(context.stack), names.EMBEDDING, names.QDRANT, names.GATEWAY, names.RAG, names.INGESTION]
    if find_previous(context.stack, context.inputs) or is_retiring(context.stack, context.inputs):
        present.append(names.PREVIOUS)
    for component in present:
        yield _policy(context, component, _ingress(context, component), _egress(context, component, present))
    if context.stack.spec.evaluation:
        yield _policy(context, names.EVALUATION, [], _egress(context, names.EVALUATION, present))
    if downloads_anything(context.stack):
        yield _policy(context, names.MODELS, [], _egress(context, names.MODELS, present))


def _policy(context: Context, component: str, ingress: list[Rule], egress: list[Rule]) -> Manifest:
    spec = {
        "podSelector": {"matchLabels": names.selector(context.stack, component)},
        "policyTypes": ["Egress", "Ingress"],
        "ingress": ingress,
        "egress": egress,
    }
    return context.manifest("networking.k8s.io/v1", "NetworkPolicy", names.NETWORK, component, spec=spec)


def _ingress(context: Context, component: str) -> list[Rule]:
    callers = sorted(caller for caller, callees in CALLS.items() if component in callees)
    sources: list[Rule] = [_pods(context, caller) for caller in callers]
    if component in DOORS:
        sources = [{"podSelector": {}}]
    if _open(context, component):
        sources = [{"namespaceSelector": {}}]
    return [{"from": [*sources, OPERATOR], "ports": [_port(component)]}]


def _open(context: Context, component: str) -> bool:
    """Tell whether a component is reached from other namespaces, whose names only the cluster's owner knows."""
    if component == names.INGESTION:
        # By an Ingress controller, or by a Git host that runs in this cluster; the signature decides.
        return takes_webhooks(context.stack)
    return component in EXPOSED and context.stack.spec.expose.ingress is not None


def _egress(context: Context, component: str, present: list[str]) -> list[Rule]:
    callees = [callee for callee in CALLS.get(component, ()) if callee in present]
    inside = [{"to": [_pods(context, callee)], "ports": [_port(callee)]} for callee in callees]
    outside = outside_rules(context, component)
    return [*inside, *outside, DNS] if inside or outside else []


def _pods(context: Context, component: str) -> Rule:
    return {"podSelector": {"matchLabels": names.selector(context.stack, component)}}


def _port(component: str) -> Rule:
    return {"port": names.PORTS[component], "protocol": "TCP"}

"""Deployments, StatefulSets and what every component has around them: account, Service, disruption budget."""

from typing import Any

from coderag_operator.desired import names
from coderag_operator.desired.context import Context, Manifest
from coderag_operator.desired.pod import Pod, template

RECREATE = {"type": "Recreate"}
# The new pod is up before the old one goes: an update of a stateless service is not an outage.
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def deployment(context: Context, pod: Pod, *, replicas: int = 1, strategy: dict[str, Any] = ROLLING) -> Manifest:
    """Return the Deployment of a component."""
    spec = {
        "replicas": context.replicas(pod.component, replicas),
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": 900,
        "strategy": strategy,
        "selector": {"matchLabels": names.selector(context.stack, pod.component)},
        "template": template(context, pod),
    }
    return context.manifest("apps/v1", "Deployment", pod.component, spec=spec)


def stateful_set(context: Context, pod: Pod) -> Manifest:
    """Return the StatefulSet of a component with one pod."""
    spec = {
        "replicas": context.replicas(pod.component),
        "revisionHistoryLimit": 2,
        "serviceName": context.name(pod.component),
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate"},
        "selector": {"matchLabels": names.selector(context.stack, pod.component)},
        "template": template(context, pod),
    }
    return context.manifest("apps/v1", "StatefulSet", pod.component, spec=spec)


def service_account(context: Context, component: str) -> Manifest:
    """Return the account of a component's pods. It has no rights and hands out no token."""
    return context.manifest("v1", "ServiceAccount", component, automountServiceAccountToken=False)


def service(
    context: Context, component: str, extra: dict[str, int] | None = None, labels: dict[str, str] | None = None
) -> Manifest:
    """Return the Service of a component; it targets the container port that is named as the Service's own.

    `labels` its pods must carry besides the component's.
    """
    selector = names.selector(context.stack, component) | (labels or {})
    return _service(context, component, component, selector, extra or {})


def active_service(context: Context, role: str) -> Manifest:
    """Return the Service of whoever answers for a role: it follows a label that moves in a failover."""
    instance = {
        key: value for key, value in names.selector(context.stack, role).items() if not key.endswith("component")
    }
    return _service(context, role, f"active-{role}", instance | {names.serves_label(role): "true"}, {})


def _service(
    context: Context, component: str, suffix: str, selector: dict[str, str], extra: dict[str, int]
) -> Manifest:
    ports = {"http": names.PORTS[component]} | extra
    spec = {
        "type": "ClusterIP",
        "selector": selector,
        "ports": [{"name": name, "port": port, "targetPort": name, "protocol": "TCP"} for name, port in ports.items()],
    }
    return context.manifest("v1", "Service", component, suffix, spec=spec)


def disruption_budget(context: Context, component: str) -> Manifest:
    """Return a budget that lets a drain take one pod at a time, and a broken one always: a drain never hangs."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": names.selector(context.stack, component)},
    }
    return context.manifest("policy/v1", "PodDisruptionBudget", component, spec=spec)


def config_map(context: Context, component: str, data: dict[str, str]) -> Manifest:
    """Return the configuration files of a component."""
    return context.manifest("v1", "ConfigMap", component, data=data)

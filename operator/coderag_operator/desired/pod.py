"""The pod template of every workload: restricted, without an API token, with a checksum of what it reads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coderag_operator.api.parts import ComponentSettings, Toleration
from coderag_operator.desired import names
from coderag_operator.desired.context import Context, checksum
from coderag_operator.desired.env import Env
from coderag_operator.desired.gpu import Access, pod_fields, resources
from coderag_operator.desired.images import image
from coderag_operator.desired.inputs import SecretFact
from coderag_operator.desired.references import SecretReference, config_map_references, secret_references
from coderag_operator.desired.sizing import size

# One for every pod: MPS serves one user at a time, and were chat and code of two, the second would wait for ever.
USER = 10001
# Requests arrive until the endpoint is gone from every node's rules; a server that has been told to stop refuses them.
SETTLE: dict[str, Any] = {"sleep": {"seconds": 5}}
CHECKSUM_ANNOTATION = "coderag.dev/checksum"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What differs from one component's pods to another's."""

    component: str
    image: str
    settings: ComponentSettings
    sized: str = ""  # whose default requests and limits, where they are not the component's own
    args: list[str] = field(default_factory=list)
    first: tuple[str, list[str]] | None = None  # name and arguments of a step before, otherwise like the container
    command: list[str] = field(default_factory=list)
    env: Env = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    probes: dict[str, Any] = field(default_factory=dict)
    pre_stop: dict[str, Any] = field(default_factory=dict)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    gpu: Access = field(default_factory=Access)
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    affinity: dict[str, Any] = field(default_factory=dict)
    grace_seconds: int = 30
    restart_policy: str = "Always"
    config: Any = None


def template(context: Context, pod: Pod) -> dict[str, Any]:
    """Return the pod template."""
    settings = pod.settings
    annotations = settings.pod_annotations | {CHECKSUM_ANNOTATION: _checksum(context, pod)}
    labels = settings.pod_labels | names.labels(context.stack, pod.component) | pod.labels
    return {"metadata": {"labels": labels, "annotations": annotations}, "spec": _spec(context, pod)}


def _checksum(context: Context, pod: Pod) -> str:
    """Return a digest of what the pod reads at its start and would not notice the change of."""
    stack, inputs = context.stack, context.inputs
    secrets = _read(secret_references(stack), pod, inputs.secrets)
    maps = _read(config_map_references(stack), pod, inputs.config_maps)
    return checksum([secrets, maps, pod.config])


def _read(references: Iterable[SecretReference], pod: Pod, facts: Mapping[str, SecretFact]) -> dict[str, str]:
    # One Job of a component may need a Secret that the other does not.
    used = {*_names(pod.env), *_names(pod.volumes)}
    wanted = {one.name for one in references if one.component == pod.component and not one.live}
    return {name: facts[name].checksum for name in sorted(wanted & used)}


def _names(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the names of the Secrets and ConfigMaps that variables or volumes come from."""
    for entry in entries:
        yield entry.get("valueFrom", {}).get("secretKeyRef", {}).get("name", "")
        yield entry.get("secret", {}).get("secretName", "")
        yield entry.get("configMap", {}).get("name", "")


def _spec(context: Context, pod: Pod) -> dict[str, Any]:
    settings, spec = pod.settings, context.stack.spec
    optional: dict[str, Any] = {
        "imagePullSecrets": [{"name": reference.name} for reference in spec.image_pull_secrets],
        "nodeSelector": pod.node_selector | settings.node_selector,
        "tolerations": [toleration(one) for one in (*pod.tolerations, *settings.tolerations)],
        "affinity": pod.affinity,
        **pod_fields(pod.gpu),
        "initContainers": _first_step(context, pod),
        "priorityClassName": settings.priority_class_name,
    }
    return {
        "serviceAccountName": context.name(pod.component),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": pod.restart_policy,
        "terminationGracePeriodSeconds": pod.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(context, pod)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}, *pod.volumes],
        **{key: value for key, value in optional.items() if value},
    }


def _first_step(context: Context, pod: Pod) -> list[dict[str, Any]]:
    if pod.first is None:
        return []
    name, args = pod.first
    return [_container(context, replace(pod, args=args, ports={}, probes={}, pre_stop={})) | {"name": name}]


def _container(context: Context, pod: Pod) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "command": pod.command,
        "args": pod.args,
        "env": [*pod.env, *pod.gpu.env],
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in pod.ports.items()],
        "lifecycle": {"preStop": pod.pre_stop} if pod.pre_stop else {},
    }
    return {
        "name": pod.component,
        **image(context, pod.image),
        **{key: value for key, value in optional.items() if value},
        **pod.probes,
        "resources": resources(size(pod.sized or pod.component, pod.settings.resources), pod.gpu),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # Why a container ended is in the pod's status, also after its log is gone.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *pod.mounts],  # noqa: S108  a volume of the pod's own
    }


def toleration(one: Toleration) -> dict[str, Any]:
    """Return a toleration as Kubernetes takes it."""
    return one.model_dump(by_alias=True, exclude_none=True)


def http_probes(ready: str, live: str, *, startup_seconds: int, ready_every: int = 5) -> dict[str, Any]:
    """Return the three probes on the port `http`; the startup probe holds the others back until the first success.

    A pod that refuses leaves its Service after at most two periods of `ready_every` seconds. The startup probe asks
    whether the process lives, not whether it is ready: what waits for another pod must not be restarted for it.
    """
    return {
        "startupProbe": _probe(live, period=2, timeout=3, failures=startup_seconds // 2),
        "readinessProbe": _probe(ready, period=ready_every, timeout=3, failures=2),
        "livenessProbe": _probe(live, period=15, timeout=5, failures=4),
    }


def _probe(path: str, *, period: int, timeout: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": failures,
    }

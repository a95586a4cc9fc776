"""What one would put up by hand: two Deployments, their Services and LiteLLM as it comes, on the same images.

The comparison is meant to be fair: the same servers with the same flags, probes as most charts have them, Recreate
because one GPU has no room for two, models that are already there. What is missing is what this project adds.
"""

import json
import secrets
from typing import Any

from e2e import install
from e2e.failover.site import Site
from e2e.kubectl import Cluster

NAME = "plain"
LLAMA, GATEWAY = "localhost/coderag-llama:dev", "localhost/coderag-gateway:dev"
GROUP = {"example.com/stack": NAME}
PORTS = {"chat": 8001, "code": 8004, "gateway": 8000}
SECURE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
POD = {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"}}


def plain_site(cluster: Cluster, namespace: str) -> Site:
    """Return where the plain stack is."""
    return Site(
        cluster, namespace, NAME, selector="app={name}-{part}", group="example.com/stack={name}", active="{role}"
    )


def deploy(cluster: Cluster, namespace: str, llama: str = LLAMA, fallbacks: bool = False) -> Site:
    """Put it up and wait until it answers."""
    site = plain_site(cluster, namespace)
    if not site.get("secret", f"{NAME}-keys"):
        cluster.apply(keys(), namespace=namespace)
    cluster.apply(*manifests(llama, fallbacks), namespace=namespace)
    for part in PORTS:
        site.kubectl("rollout", "status", f"deployment/{NAME}-{part}", "--timeout=300s")
    return site


def keys() -> dict[str, Any]:
    """Return the keys, named like those of a stack."""
    data = {name: secrets.token_urlsafe(32) for name in ("api-key", "llama-api-key")}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{NAME}-keys", "labels": GROUP},
        "stringData": data,
    }


def manifests(llama: str, fallbacks: bool) -> list[dict[str, Any]]:
    """Return everything else."""
    servers = [deployment(role, server(role, llama), recreate=True) for role in ("chat", "code")]
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{NAME}-gateway", "labels": GROUP},
              "data": {"config.yaml": json.dumps(configuration(fallbacks))}}  # fmt: skip
    return [config, *servers, deployment("gateway", gateway()), *(service(part) for part in PORTS)]


def configuration(fallbacks: bool) -> dict[str, Any]:
    """Return LiteLLM's configuration: the models, a key, and where asked who stands in; the rest are its defaults."""
    models = [{"model_name": role, "litellm_params": {
                   "model": f"openai/{role}", "api_base": f"http://{NAME}-{role}:{PORTS[role]}/v1",
                   "api_key": "os.environ/LLAMA_API_KEY"}, "model_info": {"id": role}}
              for role in ("chat", "code")]  # fmt: skip
    router = {"router_settings": {"fallbacks": [{"chat": ["code"]}, {"code": ["chat"]}]}} if fallbacks else {}
    return {"model_list": models, "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"}, **router}


def server(role: str, image: str) -> dict[str, Any]:
    """Return the pod of a model server; the models come out of the stand-ins' image."""
    port = PORTS[role]
    flags = ["--model", f"/models/{role}.gguf", "--alias", role, "--host", "0.0.0.0", "--port", str(port),
             "--fit", "off", "--n-gpu-layers", "0", "--ctx-size", "16384", "--parallel", "4", "--threads", "1",
             "--metrics", "--no-webui", "--offline", "--jinja"]  # fmt: skip
    probe = {"httpGet": {"path": "/health", "port": port}}
    container = {"name": role, "image": image, "args": flags, "env": [env("LLAMA_API_KEY", "llama-api-key"), HOME],
                 "ports": [{"containerPort": port}], "readinessProbe": probe, "livenessProbe": probe}  # fmt: skip
    copy = {"name": "models", "image": install.STANDINS, "command": ["sh", "-c", "cp /srv/models/* /models/"]}
    return pod([container], [copy])


HOME = {"name": "HOME", "value": "/tmp"}
OFFLINE = {"name": "LITELLM_LOCAL_MODEL_COST_MAP", "value": "True"}


def gateway() -> dict[str, Any]:
    """Return the pod of LiteLLM."""
    arguments = ["--config", "/etc/litellm/config.yaml", "--port", str(PORTS["gateway"])]
    container = {
        "name": "gateway",
        "image": GATEWAY,
        "command": ["litellm", *arguments],
        "env": [env("LLAMA_API_KEY", "llama-api-key"), env("LITELLM_MASTER_KEY", "api-key"), HOME, OFFLINE],
        "ports": [{"containerPort": PORTS["gateway"]}],
        "readinessProbe": {"httpGet": {"path": "/health/readiness", "port": PORTS["gateway"]}},
    }
    config = {"name": "config", "configMap": {"name": f"{NAME}-gateway"}}
    return pod([container | {"volumeMounts": [{"name": "config", "mountPath": "/etc/litellm"}]}], [], [config])


def env(name: str, key: str) -> dict[str, Any]:
    """Return a variable that holds one of the keys."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": f"{NAME}-keys", "key": key}}}


def pod(
    containers: list[dict[str, Any]], before: list[dict[str, Any]], volumes: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a pod spec that the restricted level lets pass, with a folder for models and one for files."""
    shared = [{"name": "models", "mountPath": "/models"}, {"name": "tmp", "mountPath": "/tmp"}]

    def complete(one: dict[str, Any]) -> dict[str, Any]:
        mounts = [*one.get("volumeMounts", []), *shared]
        return one | {"imagePullPolicy": "IfNotPresent", "securityContext": SECURE, "volumeMounts": mounts}

    empty = [{"name": name, "emptyDir": {}} for name in ("models", "tmp")]
    return {
        "securityContext": POD,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "initContainers": [complete(one) for one in before],
        "containers": [complete(one) for one in containers],
        "volumes": [*empty, *(volumes or [])],
    }


def deployment(part: str, spec: dict[str, Any], recreate: bool = False) -> dict[str, Any]:
    """Return a Deployment of one pod."""
    labels = {"app": f"{NAME}-{part}", **GROUP}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{NAME}-{part}", "labels": labels},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate" if recreate else "RollingUpdate"},
            "selector": {"matchLabels": {"app": labels["app"]}},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def service(part: str) -> dict[str, Any]:
    """Return the Service of a Deployment."""
    ports = [{"port": PORTS[part], "targetPort": PORTS[part]}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"{NAME}-{part}", "labels": GROUP},
            "spec": {"selector": {"app": f"{NAME}-{part}"}, "ports": ports}}  # fmt: skip


def remove(site: Site) -> None:
    """Take it down."""
    site.kubectl("delete", "deployment,service,configmap,secret", "-l", f"example.com/stack={NAME}", "--wait")

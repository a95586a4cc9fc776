"""What demo and scenarios do alike: install the chart, make a restricted namespace, serve models and a repository."""

import base64
import json
import secrets
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from e2e.kubectl import Cluster, CommandError
from e2e.standins import ssh_server

SYSTEM = "coderag-system"
STANDINS = "localhost/coderag-standins:dev"
LOCAL = ("llama", "model", "embedding", "rag", "gateway", "evaluation")
PORTS = {"hub": 8080, "git": 8081, "openai": 8082}
BESIDE = {"git": {"ssh": ssh_server.PORT}}
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


def open_cluster(name: str, provider: str = "auto") -> Cluster:
    """Return the running cluster of that name; raises CalledProcessError when the provider knows none."""
    text = subprocess.run(["python3", "-m", "e2e.cluster", "status", "--name", name, "--provider", provider, "--json"],
                          check=True, capture_output=True, text=True).stdout  # fmt: skip
    status = json.loads(text)
    programs = Path(status["programs"])
    audit = status.get("auditLog")
    return Cluster(Path(status["kubeconfig"]), programs / "kubectl", programs / "helm", Path(audit) if audit else None)


def make_namespace(cluster: Cluster, name: str) -> None:
    """Make a namespace that enforces the restricted Pod Security level."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))


def install_chart(cluster: Cluster, *values: str, release: str = "coderag", namespace: str = SYSTEM) -> str:
    """Install or upgrade the chart with the locally built images and wait until the operator is ready."""
    make_namespace(cluster, namespace)
    images = {"image.repository": "localhost/coderag-operator", "image.tag": "dev", "componentImages.qdrant": STANDINS}
    images |= {f"componentImages.{part}": f"localhost/coderag-{part}:dev" for part in LOCAL}
    settings = [*(f"{key}={value}" for key, value in images.items()), *values]
    options = [word for setting in settings for word in ("--set", setting)]
    return cluster.helm(
        "upgrade", "--install", release, "charts/coderag", "-n", namespace, "--wait", "--timeout", "5m", *options
    )


def build_standin(part: str, token: str) -> list[dict[str, Any]]:
    """Return the Deployment and the Service of one stand-in."""
    name, labels = f"standins-{part}", {"app": f"standins-{part}"}
    ports = {"http": PORTS[part]} | BESIDE.get(part, {})
    secure = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": part,
        "image": STANDINS,
        "imagePullPolicy": "IfNotPresent",
        "args": [part, "--host", "0.0.0.0", "--port", str(PORTS[part])],
        "env": [{"name": "STANDINS_ADMIN_TOKEN", "value": token}],
        "ports": [{"name": word, "containerPort": port, "protocol": "TCP"} for word, port in ports.items()],
        "readinessProbe": {"tcpSocket": {"port": PORTS[part]}, "periodSeconds": 1},
        "securityContext": secure,
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": labels,
            "ports": [
                {"name": word, "port": port, "targetPort": port, "protocol": "TCP"} for word, port in ports.items()
            ],
        },
    }
    return [deployment, service]


def deploy_standins(cluster: Cluster, namespace: str, *parts: str) -> str:
    """Run stand-ins in a namespace, wait for them, return the token of their admin routes."""
    token = secrets.token_urlsafe(24)
    cluster.apply(*(item for part in parts for item in build_standin(part, token)), namespace=namespace)
    for part in parts:
        cluster.kubectl("-n", namespace, "rollout", "status", f"deployment/standins-{part}", "--timeout=180s")
    return token


def request(method: str, url: str, token: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
    """Make one HTTP request with a bearer token and return the body; an HTTP error raises with its text."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=120) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise CommandError(f"{method} {url} answered {error.code}: {error.read().decode(errors='replace')}") from error


def push_repository(cluster: Cluster, namespace: str, token: str, name: str, folder: Path) -> str:
    """Give the git stand-in what HEAD of a repository reaches, as branch main; return the commit."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "repository.bundle"
        subprocess.run(["git", "-C", folder, "bundle", "create", "-q", bundle, "HEAD"], check=True)
        with cluster.forward(namespace, "service/standins-git", PORTS["git"]) as url:
            request("PUT", f"{url}/admin/repositories/{name}", token, bundle.read_bytes(), "application/octet-stream")
    head = subprocess.run(["git", "-C", folder, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout.strip()


def read_model_hashes(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Return sha256 by file name, as the hub stand-in tells it."""
    with cluster.forward(namespace, "service/standins-hub", PORTS["hub"]) as url:
        return dict(json.loads(request("GET", f"{url}/sha256.json", "")))


def read_key(cluster: Cluster, namespace: str, stack: str, key: str = "api-key") -> str:
    """Return one of the keys of a stack."""
    return base64.b64decode(cluster.get("secret", f"{stack}-keys", "-n", namespace)["data"][key]).decode()

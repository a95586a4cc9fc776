"""The kind provider, for machines with a container engine: the same interface, the node is a container."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2e.cluster import programs
from e2e.cluster.api_server import AUDIT_POLICY
from e2e.cluster.commands import run
from e2e.cluster.control_plane import refuse_other_kind
from e2e.cluster.errors import ClusterError
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.locks import locked
from e2e.cluster.options import Options
from e2e.cluster.progress import ticking
from e2e.cluster.provider import Status, engine
from e2e.cluster.state import State, write_atomically

KIND = "kind"
LIMIT = 900
IN_NODE = "/var/log/coderag"


class KindProvider:
    """One kind cluster of one node, by name."""

    def __init__(self, name: str = "demo", options: Options | None = None) -> None:
        self.state = State(name)
        self.options = options or Options()
        self.cluster = f"coderag-{name}"
        self.node = f"{self.cluster}-control-plane"
        self.kubectl = Kubectl(self.state)

    def up(self) -> Status:
        """Create the cluster, unless it is there; returns when its node is Ready."""
        self._need_engine()
        programs.ensure()  # kubectl and helm among them
        with locked(self.state.lock, f"cluster {self.state.name}"):
            refuse_other_kind(self.state, KIND)
            self.state.create()
            if self.cluster not in self._clusters():
                self._create()
            self._kind("export", "kubeconfig", "--kubeconfig", str(self.state.kubeconfig))
            self.kubectl.announce(self.node, self.options)
            self.state.save({"provider": KIND, "server": self._server()})
        return self.status()

    def down(self) -> None:
        """Delete the cluster and forget it."""
        with locked(self.state.lock, f"cluster {self.state.name}"):
            refuse_other_kind(self.state, KIND)
            if engine() and self.cluster in self._clusters():
                self._kind("delete", "cluster", "--kubeconfig", str(self.state.kubeconfig))
            self.state.remove()
            self.state.lock.unlink(missing_ok=True)

    def status(self) -> Status:
        """What is there now; changes nothing."""
        settings = self.state.settings() or {}
        ready = bool(settings) and self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0
        return Status(
            name=self.state.name,
            provider=KIND,
            kubeconfig=str(self.state.kubeconfig),
            audit_log=str(self.state.audit_log),
            address=settings.get("server", ""),
            programs=programs.bin_if_built(),
            ready=ready,
            problem="" if ready else ("the API does not answer" if settings else "not up"),
        )

    def load_images(self, references: Sequence[str]) -> None:
        """Copy images from the engine, and those of archives, into the node; kind leaves out what it has."""
        archives = [each for each in references if Path(each).is_file()]
        for verb, wanted in (("image-archive", archives), ("docker-image", sorted(set(references) - set(archives)))):
            if wanted:
                with ticking(f"loading {', '.join(wanted)} into the node"):
                    self._kind("load", verb, *wanted)

    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state.kubeconfig

    def _create(self) -> None:
        write_atomically(self.state.path("audit-policy.json"), json.dumps(AUDIT_POLICY))
        self.state.path("logs", "x")
        config = self.state.path("kind.json")
        write_atomically(config, json.dumps(cluster_config(self.state)))
        with ticking(f"creating kind cluster {self.cluster}"):
            self._kind(
                "create",
                "cluster",
                "--config",
                str(config),
                "--wait",
                "180s",
                "--kubeconfig",
                str(self.state.kubeconfig),
            )

    def _server(self) -> str:
        return self.kubectl("config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}").stdout

    def _clusters(self) -> list[str]:
        return run(["kind", "get", "clusters"], what="listing kind clusters", env=environment()).stdout.split()

    def _kind(self, *arguments: str) -> None:
        command = ["kind", *arguments, "--name", self.cluster]
        run(command, what=f"kind {arguments[0]} {arguments[1]}", timeout=LIMIT, env=environment())

    def _need_engine(self) -> None:
        if not engine():
            raise ClusterError("no container engine answers", "start Docker, or use --provider node")


def environment() -> dict[str, str]:
    """kind asks for Docker unless told otherwise."""
    extra = {"KIND_EXPERIMENTAL_PROVIDER": "podman"} if engine() == "podman" else {}
    return {**os.environ, **extra}


def cluster_config(state: State) -> dict[str, Any]:
    """One node whose API server writes the audit log into the cluster's folder on this machine."""
    patch = {
        "kind": "ClusterConfiguration",
        "apiServer": {
            "extraArgs": {
                "audit-policy-file": f"{IN_NODE}/policy.json",
                "audit-log-path": f"{IN_NODE}/logs/audit.log",
                "audit-log-maxsize": "2048",
            },
            "extraVolumes": [{"name": "audit", "hostPath": IN_NODE, "mountPath": IN_NODE, "readOnly": False}],
        },
    }
    mounts = [
        {"hostPath": str(state.folder / "audit-policy.json"), "containerPath": f"{IN_NODE}/policy.json"},
        {"hostPath": str(state.folder / "logs"), "containerPath": f"{IN_NODE}/logs"},
    ]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane", "extraMounts": mounts, "kubeadmConfigPatches": [json.dumps(patch)]}],
    }

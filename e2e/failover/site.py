"""Two model servers behind a gateway in a cluster: a stack of ours, or the plain one it is compared with."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e import install
from e2e.cluster.waiting import wait_until
from e2e.kubectl import Cluster, CommandError
from e2e.progress import is_current

SYSTEM = "coderag-system"
ROLES = ("chat", "code")
OPERATOR = "coderag-operator"


@dataclass(frozen=True)
class Site:
    """Where the servers are and what they are called."""

    cluster: Cluster
    namespace: str
    name: str
    selector: str = "app.kubernetes.io/instance={name},app.kubernetes.io/component={part}"
    group: str = "app.kubernetes.io/instance={name}"
    active: str = "active-{role}"  # the Service of whoever answers for a role

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return objects of the namespace."""
        return self.cluster.get(*arguments, "-n", self.namespace)

    def kubectl(self, *arguments: str, **options: Any) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, **options)

    def pods(self, part: str) -> list[dict[str, Any]]:
        """Return the pods of a component that are not on their way out."""
        found = self.get("pods", "-l", self.selector.format(name=self.name, part=part))["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"] and is_alive(pod)]

    def pod(self, part: str) -> dict[str, Any]:
        """Return the one pod of a component."""
        found = self.pods(part)
        if len(found) != 1:
            raise CommandError(f"{self.name}-{part} has {len(found)} pods, one is needed")
        return found[0]

    def address(self, service: str) -> str:
        """Return the base URL of a Service by its address: this machine does not ask the cluster's DNS."""
        spec = self.get("service", f"{self.name}-{service}")["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def key(self, name: str = "api-key") -> str:
        """Return one of the keys."""
        return install.read_key(self.cluster, self.namespace, self.name, name)

    def wait_ready(self, part: str, seconds: float = 120, other_than: str = "") -> dict[str, Any]:
        """Wait for the one Ready pod of a component, and return it; `other_than` is the uid of one that was."""

        def check() -> bool:
            found = self.pods(part)
            return len(found) == 1 and is_ready(found[0]) and found[0]["metadata"]["uid"] != other_than

        if not wait_until(check, seconds):
            raise CommandError(f"{self.name}-{part} had no ready pod after {seconds:.0f} s")
        return self.pod(part)


def is_alive(pod: dict[str, Any]) -> bool:
    """Tell whether a pod runs or is about to."""
    return pod["status"].get("phase") in {"Pending", "Running"}


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether a pod is Ready."""
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def operator_site(cluster: Cluster) -> Site:
    """Return the operator itself as a place with pods."""
    return Site(cluster, SYSTEM, "coderag", selector="app.kubernetes.io/name=coderag-operator")


def enter(cluster: Cluster) -> list[str]:
    """Return the words before a command that has to reach Services: they live in the node's network.

    kubectl's port-forward would not do: it chooses one pod and stays with it, and a failover is about another one.
    """
    network = Path("/run/netns") / f"coderag-{cluster.kubeconfig.parent.name}"
    if network.exists():
        return ["nsenter", f"--net={network}", "--"]
    return ["nsenter", f"--target={node_process(cluster)}", "--net", "--"]


def node_process(cluster: Cluster) -> str:
    """Return the id of the process that holds a kind node's network."""
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    command = ["docker", "inspect", "--format", "{{.State.Pid}}", node]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip().isdigit():
        raise CommandError(f"the network of node {node} cannot be entered from here: {done.stderr.strip()}")
    return done.stdout.strip()


def python(*arguments: str) -> list[str]:
    """Return the command that runs a module of this repository."""
    return [sys.executable, "-m", *arguments]


def is_settled(site: Site) -> bool:
    """Tell whether a stack is Ready as it is wanted and each role is served by its own server."""
    stack = site.get("crs", site.name)
    roles = stack.get("status", {}).get("roles", [])
    return is_current(stack, "Ready") and all(one["active"] in {one["role"], "external"} for one in roles)


def are_all_ready(site: Site) -> bool:
    """Tell whether every pod of a site is Ready: all there is to ask of one without an operator."""
    pods = site.get("pods", "-l", site.group.format(name=site.name))["items"]
    return bool(pods) and all(is_ready(pod) for pod in pods)

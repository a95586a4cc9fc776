"""kubectl for the harness itself: the built program, the cluster's administrator, never through a proxy."""

import json
import os
import subprocess

from e2e.cluster import programs
from e2e.cluster.commands import run
from e2e.cluster.options import Options
from e2e.cluster.state import State

GPU = "nvidia.com/gpu"


class Kubectl:
    """kubectl against one cluster."""

    def __init__(self, state: State) -> None:
        self.state = state

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run it; every request has a time limit."""
        command = [
            programs.binary("kubectl"),
            "--kubeconfig",
            self.state.kubeconfig,
            "--request-timeout=10s",
            *arguments,
        ]
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return run(command, what=f"asking the API of {self.state.name}", check=check, timeout=60, env=environment)

    def nodes_ready(self) -> bool:
        """Is there a node, and is every one Ready?"""
        done = self("get", "nodes", "--output", "json", check=False)
        return done.returncode == 0 and all_ready(done.stdout)

    def announce(self, node: str, options: Options) -> None:
        """Give a node labels, and GPUs that are not there, so that pods which ask for one are scheduled."""
        if options.labels:
            labels = [f"{key}={value}" for key, value in sorted(options.labels.items())]
            self("label", "--overwrite", "node", node, *labels)
        if options.gpus:
            count = {GPU: str(options.gpus)}
            patch = json.dumps({"status": {"capacity": count, "allocatable": count}})
            self("patch", "node", node, "--subresource=status", "--type=merge", "--patch", patch)


def all_ready(nodes: str) -> bool:
    """Does a NodeList hold at least one node and only Ready ones?"""
    items = json.loads(nodes)["items"]
    return bool(items) and all(is_ready(item.get("status", {}).get("conditions", [])) for item in items)


def is_ready(conditions: list[dict[str, str]]) -> bool:
    """The Ready condition among a node's."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

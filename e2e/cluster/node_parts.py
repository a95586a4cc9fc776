"""The processes that make a node: which there are, how each is started, and in which order they end."""

import sys
from pathlib import Path

from e2e.cluster import enforcer, node_config, volumes
from e2e.cluster.api_server import api_server, controller_manager, etcd
from e2e.cluster.node_config import Node
from e2e.cluster.paths import REPOSITORY
from e2e.cluster.processes import Command

PARTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
    "coredns",
    volumes.USER,
    enforcer.USER,
)
# What would start a container again ends before the containers do.
BEFORE_CONTAINERS = (
    volumes.USER,
    "kubelet",
    "kube-proxy",
    enforcer.USER,
    "coredns",
    "kube-scheduler",
    "kube-controller-manager",
)
AFTER_CONTAINERS = ("containerd", "kube-apiserver", "etcd")


def start_commands(node: Node) -> dict[str, Command]:
    """How each part is started."""
    commands = (
        etcd(node.layout),
        api_server(node.layout),
        controller_manager(node.layout),
        node_config.containerd(node),
        node_config.scheduler(node),
        node_config.kubelet(node),
        node_config.proxy(node),
        node_config.coredns(node),
        helper_command(node, volumes.USER, volumes.__name__, "--folder", node.folder / "volumes"),
        helper_command(node, enforcer.USER, enforcer.__name__),
    )
    return {command.name: command for command in commands}


def helper_command(node: Node, user: str, module: str, *more: str | Path) -> Command:
    """One of the node's own helpers, by the Python that runs this."""
    arguments = ["--server", node.layout.server, "--pki", node.layout.authority.folder, *more]
    environment = {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    return Command(user, [sys.executable, "-m", module, *arguments], environment)

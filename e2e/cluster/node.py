"""The node provider: a real single-node Kubernetes from its own programs and Debian's containerd.

It needs no container engine. Every process runs in the cluster's own network and mount namespace (namespaces.py). A
start that was interrupted, or whose namespaces are gone, is cleared and made anew; a complete one has only its missing
processes started again.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2e.cluster import (
    addresses,
    base_image,
    cgroups,
    enforcer,
    image_store,
    node_config,
    node_images,
    packages,
    policies,
    programs,
    volumes,
    way_out,
)
from e2e.cluster.api_server import Layout
from e2e.cluster.certificates import Authority, Subject
from e2e.cluster.commands import run
from e2e.cluster.control_plane import (
    PATIENCE,
    api_answers,
    await_controllers,
    make_certificates,
    refuse_other_kind,
    start_api,
    write_kubeconfigs,
)
from e2e.cluster.errors import ClusterError
from e2e.cluster.kubectl import Kubectl
from e2e.cluster.locks import locked
from e2e.cluster.namespaces import HOLDER, Namespaces
from e2e.cluster.node_config import Node
from e2e.cluster.node_images import NodeImages
from e2e.cluster.node_parts import AFTER_CONTAINERS, BEFORE_CONTAINERS, PARTS, start_commands
from e2e.cluster.options import Options
from e2e.cluster.paths import PACKAGE
from e2e.cluster.processes import Processes
from e2e.cluster.progress import say, ticking
from e2e.cluster.provider import Status
from e2e.cluster.state import State

KIND = "node"
API_PORT = 6443


class NodeProvider:
    """One cluster of one node, by name."""

    def __init__(self, name: str = "demo", options: Options | None = None) -> None:
        self.state = State(name)
        self.options = options or Options()
        self.namespaces = Namespaces(self.state)
        self.processes = Processes(self.state, self.namespaces.wrap)
        self.kubectl = Kubectl(self.state)

    # -- the provider's interface

    def up(self) -> Status:
        """Bring it up, or repair it; returns when the node is Ready."""
        packages.need_root("a node without a container engine")
        packages.need({**packages.FOR_NODE, **packages.FOR_IMAGES})
        programs.ensure()
        base_image.ensure_pause()
        with locked(self.state.lock, f"cluster {self.state.name}"):
            refuse_other_kind(self.state, KIND)
            if not self._complete():
                self._clear()
            with ticking(f"bringing up cluster {self.state.name}"):
                self._start()
        return self.status()

    def down(self) -> None:
        """Remove everything that up made, and nothing else."""
        with locked(self.state.lock, f"cluster {self.state.name}"):
            refuse_other_kind(self.state, KIND)
            self._clear()
            self.state.lock.unlink(missing_ok=True)

    def status(self) -> Status:
        """What is there now; changes nothing."""
        settings = self.state.settings() or {}
        outside = (HOLDER, way_out.NAME) if way_out.possible() else (HOLDER,)
        running = {name: self.state.running(name) for name in (*outside, *PARTS)}
        ready = bool(settings) and all(running.values()) and api_answers(self.state) and self.kubectl.nodes_ready()
        return Status(
            name=self.state.name,
            provider=KIND,
            kubeconfig=str(self.state.kubeconfig),
            audit_log=str(self.state.audit_log),
            address=settings.get("server", ""),
            programs=programs.bin_if_built(),
            processes=running if self.state.exists() else {},
            ready=ready,
            problem=self._problem(settings, running) if not ready else "",
        )

    def load_images(self, references: Sequence[str]) -> None:
        """Make images known to the node."""
        NodeImages(self._node()).load(references)

    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state.kubeconfig

    # -- one process at a time, for tests of what happens without it

    def stop_process(self, name: str) -> None:
        """Stop one of the node's processes and leave it stopped."""
        self._known_part(name)
        self.processes.stop(name)

    def start_process(self, name: str) -> None:
        """Start one of the node's processes again."""
        self._known_part(name)
        node = self._node()
        self.processes.start(start_commands(node)[name])
        if name == "kubelet":  # it forgets GPUs that no device plugin announced
            self._await_node(node)
            self.kubectl.announce(node.name, self._asked())

    def _known_part(self, name: str) -> None:
        if name not in PARTS:
            raise ClusterError(f"there is no process {name!r}", f"there are: {', '.join(PARTS)}")
        if self.state.settings() is None:
            raise ClusterError(f"cluster {self.state.name} is not up", "run: python3 -m e2e.cluster up")

    # -- starting

    def _complete(self) -> bool:
        """Was it started to the end, and are its namespaces still there? (They are not after a reboot.)"""
        return self.state.settings() is not None and self.state.running(HOLDER) and self.namespaces.network.exists()

    def _start(self) -> None:
        self.state.create()
        slot = self.namespaces.up()
        cgroups.create(self.state.name)
        layout = self._layout(slot)
        node = Node(layout, way_out.resolver(slot))
        if self.state.settings() is None:
            self._prepare(node)
        start_api(self.processes, layout)
        commands = start_commands(node)
        if not self.state.running("containerd"):
            image_store.take(node.containerd_root)
        for name in ("containerd", "kube-controller-manager", "kube-scheduler"):
            self.processes.start(commands[name])
        self.kubectl("apply", "--server-side", "--filename", str(PACKAGE / "bootstrap.json"))
        self.processes.await_ready("containerd", lambda: node_images.answers(node), PATIENCE)
        NodeImages(node).load([base_image.PAUSE])
        self.processes.start(commands[enforcer.USER])  # before there is a pod that it could miss
        self.processes.await_ready(enforcer.USER, self._enforces, PATIENCE)
        for name in ("kubelet", "kube-proxy", "coredns", "volumes"):
            self.processes.start(commands[name])
        self._await_node(node)
        await_controllers(self.processes, layout)
        asked = self._asked()
        self.kubectl.announce(node.name, asked)
        self.state.save({"provider": KIND, "server": layout.server, "node": node.name, **asdict(asked)})

    def _prepare(self, node: Node) -> None:
        """Keys, certificates, kubeconfigs and configuration files: once in a cluster's life."""
        layout = node.layout
        authority = make_certificates(self.state, [layout.address])
        authority.issue("scheduler", Subject("system:kube-scheduler"))
        authority.issue("proxy", Subject("system:kube-proxy"))
        authority.issue("kubelet", Subject(f"system:node:{node.name}", "system:nodes"))
        authority.issue("kubelet-server", Subject(node.name, names=[node.name, layout.address]))
        authority.issue("coredns", Subject("coderag-dns"))
        for helper in (volumes.USER, enforcer.USER):
            authority.issue(helper, Subject(f"coderag-{helper}"))
        users = ["admin", "controller-manager", "scheduler", "proxy", "kubelet", "coredns"]
        write_kubeconfigs(self.state, authority, layout.server, users)
        node_config.write_files(node)

    def _await_node(self, node: Node) -> None:
        """Wait until kubelet has joined, the node is Ready and the name service answers."""
        self.processes.await_ready("kubelet", self.kubectl.nodes_ready, PATIENCE)
        for name in ("coredns", "kube-proxy", volumes.USER):
            self.processes.await_ready(name, lambda: True)

    def _enforces(self) -> bool:
        """Are the NetworkPolicies' rules in force?"""
        command = self.namespaces.wrap(["nft", "list", "table", "ip", policies.TABLE])
        return run(command, what="looking for the NetworkPolicies' rules", check=False).returncode == 0

    def _asked(self) -> Options:
        """The options: those of this call, else those the cluster was made with."""
        known = self.state.settings() or {}
        return Options(self.options.gpus or known.get("gpus", 0), self.options.labels or known.get("labels", {}))

    # -- stopping

    def _clear(self) -> None:
        """Stop and remove; every step does nothing where there is nothing, so an interrupted one is simply repeated."""
        slot = addresses.remembered(self.state)
        for name in BEFORE_CONTAINERS:
            self.processes.stop(name)
        cgroups.kill(self.state.name)
        images = self._images_without_containers(slot)
        self.processes.stop_all(AFTER_CONTAINERS)
        cgroups.remove(self.state.name)
        if images:
            image_store.give(images)
        self.namespaces.down(slot)
        self.state.remove()

    def _images_without_containers(self, slot: addresses.Slot | None) -> Path | None:
        """containerd's folder, if it can be kept for the next cluster: it answers, and gives up its containers."""
        if slot is None or not self.state.running("containerd"):
            return None
        node = Node(self._layout(slot))
        images = NodeImages(node)
        try:
            emptied = node_images.answers(node) and image_store.empty(images.ctr, images.identities())
        except ClusterError as error:  # going down matters more than what the next cluster finds
            say(f"images are not kept for the next cluster: {error.message}")
            return None
        return node.containerd_root if emptied else None

    # -- pieces

    def _layout(self, slot: addresses.Slot) -> Layout:
        authority = Authority(self.state.path("pki", "x").parent)
        return Layout(state=self.state, authority=authority, address=slot.node, api_port=API_PORT)

    def _node(self) -> Node:
        slot = addresses.remembered(self.state)
        if slot is None:
            raise ClusterError(f"cluster {self.state.name} is not up", "run: python3 -m e2e.cluster up")
        return Node(self._layout(slot))

    def _problem(self, settings: dict[str, Any], running: dict[str, bool]) -> str:
        """Why it is not ready, in a few words."""
        if not self.state.exists():
            return "not up"
        if not settings:
            return "a start was interrupted; up clears it and starts again"
        stopped = [name for name, alive in running.items() if not alive]
        return (
            f"stopped: {', '.join(stopped)}; up starts them again" if stopped else "the API or the node does not answer"
        )

"""The configuration files and command lines of a node's parts, from containerd to CoreDNS."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster import programs
from e2e.cluster.api_server import POD_RANGE, Layout, flag_list
from e2e.cluster.base_image import PAUSE
from e2e.cluster.processes import Command
from e2e.cluster.state import write_atomically

POD_SUBNET = "10.244.0.0/24"
DNS_DOMAIN = "cluster.local"
CNI_PLUGINS = "/usr/lib/cni"


@dataclass(frozen=True)
class Node:
    """One node: its control plane's layout, its own name and its view of the world outside."""

    layout: Layout
    resolver: str = ""  # who knows the names outside, if anyone does

    @property
    def name(self) -> str:
        """The name of the Node object."""
        return f"{self.layout.state.name}-node"

    @property
    def folder(self) -> Path:
        """The cluster's folder."""
        return self.layout.state.folder

    @property
    def containerd_root(self) -> Path:
        """containerd's own folder: images and containers."""
        return self.folder / "containerd"

    @property
    def socket(self) -> Path:
        """containerd's socket."""
        return self.folder / "run" / "containerd.sock"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of one of the parts."""
        return self.folder / f"{user}.kubeconfig"


def containerd_toml(node: Node) -> str:
    """containerd with folders of its own; sandboxes may not lower their OOM score where CAP_SYS_RESOURCE is missing."""
    return f"""version = 2
root = "{node.containerd_root}"
state = "{node.folder}/run/containerd"
[grpc]
  address = "{node.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{node.folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def network() -> dict[str, Any]:
    """Pod networking: a routed pair per pod, so that all of it passes the node's packet filter, as Services need it."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": POD_SUBNET}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {
        "cniVersion": "0.4.0",
        "name": "coderag",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet_config(node: Node) -> dict[str, Any]:
    """kubelet as in production, but its pods are below a control group of their own and a full disk evicts nothing."""
    layout, pki = node.layout, node.layout.authority
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.certificate("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.certificate("kubelet-server")),
        "tlsPrivateKeyFile": str(pki.key("kubelet-server")),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/coderag-{layout.state.name}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "clusterDNS": [layout.address],
        "clusterDomain": DNS_DOMAIN,
        "resolvConf": str(node.folder / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{node.socket}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "registerNode": True,
    }


def corefile(node: Node) -> str:
    """DNS: the cluster's own names, then the machine's resolver; names that nobody can have do not exist, at once."""
    nowhere = "template ANY ANY {\n        rcode NXDOMAIN\n    }"
    outside = f"forward . {node.resolver}\n    cache 30" if node.resolver else nowhere
    return f"""{DNS_DOMAIN}:53 in-addr.arpa:53 ip6.arpa:53 {{
    bind {node.layout.address}
    errors
    ready 127.0.0.1:8181
    kubernetes {DNS_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {node.kubeconfig("coredns")}
        pods insecure
        ttl 5
    }}
}}
test:53 invalid:53 example:53 {{
    bind {node.layout.address}
    {nowhere}
}}
.:53 {{
    bind {node.layout.address}
    errors
    {outside}
}}
"""


def write_files(node: Node) -> None:
    """Write every configuration file."""
    state = node.layout.state
    write_atomically(state.path("containerd.toml"), containerd_toml(node))
    write_atomically(state.path("cni", "10-coderag.conflist"), json.dumps(network()))
    write_atomically(state.path("kubelet.json"), json.dumps(kubelet_config(node)))
    write_atomically(state.path("Corefile"), corefile(node))
    write_atomically(state.path("resolv.conf"), f"nameserver {node.layout.address}\n", 0o644)
    state.path("run", "x")


def containerd(node: Node) -> Command:
    """The container runtime."""
    return Command("containerd", ["containerd", "--config", node.folder / "containerd.toml"])


def scheduler(node: Node) -> Command:
    """kube-scheduler."""
    config = node.kubeconfig("scheduler")
    flags: dict[str, object] = {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "bind-address": "127.0.0.1",
        "cert-dir": node.folder / "pki" / "scheduler",
        "leader-elect": "false",
    }
    return Command("kube-scheduler", [programs.binary("kube-scheduler"), *flag_list(flags)])


def kubelet(node: Node) -> Command:
    """kubelet."""
    flags: dict[str, object] = {
        "config": node.folder / "kubelet.json",
        "kubeconfig": node.kubeconfig("kubelet"),
        "cert-dir": node.folder / "pki" / "kubelet",
        "hostname-override": node.name,
        "node-ip": node.layout.address,
    }
    return Command("kubelet", [programs.binary("kubelet"), *flag_list(flags)])


def proxy(node: Node) -> Command:
    """kube-proxy with nftables; it leaves the machine-wide connection tracking limits alone."""
    flags: dict[str, object] = {
        "kubeconfig": node.kubeconfig("proxy"),
        "proxy-mode": "nftables",
        "cluster-cidr": POD_RANGE,
        "hostname-override": node.name,
        "healthz-bind-address": "127.0.0.1:10256",
        "metrics-bind-address": "127.0.0.1:10249",
        "conntrack-max-per-core": 0,
        "conntrack-min": 0,
        "conntrack-tcp-timeout-established": "0s",
        "conntrack-tcp-timeout-close-wait": "0s",
        "oom-score-adj": 0,
    }
    return Command("kube-proxy", [programs.binary("kube-proxy"), *flag_list(flags)])


def coredns(node: Node) -> Command:
    """CoreDNS, a process of the node instead of a pod: the name service works before any image is there."""
    return Command("coredns", [programs.binary("coredns"), "-conf", node.folder / "Corefile"])

"""The command lines of etcd, kube-apiserver and kube-controller-manager, the same with and without a node."""

import json
from dataclasses import dataclass

from e2e.cluster import programs
from e2e.cluster.certificates import Authority
from e2e.cluster.processes import Command
from e2e.cluster.state import State, write_atomically

SERVICE_RANGE = "10.96.0.0/16"
POD_RANGE = "10.244.0.0/16"
ISSUER = "https://kubernetes.default.svc.cluster.local"
API_NAMES = (
    "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
    "10.96.0.1",
)  # fmt: skip
# Who did what to which object, without bodies: enough to count writes and to compare RBAC rules with what was used.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


@dataclass(frozen=True)
class Layout:
    """Where the parts of one control plane are and listen."""

    state: State
    authority: Authority
    address: str
    api_port: int
    etcd_port: int = 2379
    peer_port: int = 2380
    controllers_port: int = 10257
    service_accounts: bool = True  # without a controller manager nobody makes the default ones, and pods are refused

    @property
    def server(self) -> str:
        """The API's URL."""
        return f"https://{self.address}:{self.api_port}"


def flag_list(flags: dict[str, object]) -> list[str]:
    """--key=value for each, in order."""
    return [f"--{key}={value}" for key, value in flags.items()]


def write_audit_policy(state: State) -> None:
    """Write the audit policy and make the folder of the log."""
    write_atomically(state.path("audit-policy.json"), json.dumps(AUDIT_POLICY))
    state.audit_log.parent.mkdir(exist_ok=True)


def etcd(layout: Layout) -> Command:
    """etcd for one test cluster: no fsync, because nothing in it outlives the machine; clients need a certificate."""
    client, peer = f"https://127.0.0.1:{layout.etcd_port}", f"http://127.0.0.1:{layout.peer_port}"
    pki = layout.authority
    flags = {
        "name": "default",
        "data-dir": layout.state.folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "cert-file": pki.certificate("etcd"),
        "key-file": pki.key("etcd"),
        "trusted-ca-file": pki.certificate("ca"),
        "client-cert-auth": "true",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    return Command("etcd", [programs.binary("etcd"), *flag_list(flags)])


def api_server(layout: Layout) -> Command:
    """kube-apiserver with RBAC, Pod Security and the audit log."""
    pki, state = layout.authority, layout.state
    flags: dict[str, object] = {
        "etcd-servers": f"https://127.0.0.1:{layout.etcd_port}",
        "etcd-cafile": pki.certificate("ca"),
        "etcd-certfile": pki.certificate("apiserver"),
        "etcd-keyfile": pki.key("apiserver"),
        "bind-address": layout.address,
        "advertise-address": layout.address,
        "secure-port": layout.api_port,
        "tls-cert-file": pki.certificate("apiserver"),
        "tls-private-key-file": pki.key("apiserver"),
        "client-ca-file": pki.certificate("ca"),
        "kubelet-client-certificate": pki.certificate("apiserver"),
        "kubelet-client-key": pki.key("apiserver"),
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": ISSUER,
        "service-account-key-file": pki.folder / "service-accounts.pub",
        "service-account-signing-key-file": pki.key("service-accounts"),
        "service-cluster-ip-range": SERVICE_RANGE,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "audit-policy-file": state.folder / "audit-policy.json",
        "audit-log-path": state.audit_log,
        "audit-log-maxsize": 2048,
        "audit-log-maxbackup": 1,
    }
    if not layout.service_accounts:
        flags["disable-admission-plugins"] = "ServiceAccount"
    return Command("kube-apiserver", [programs.binary("kube-apiserver"), *flag_list(flags)])


def controller_manager(layout: Layout) -> Command:
    """kube-controller-manager; every controller has its own ServiceAccount, so that the audit log tells them apart."""
    pki, config = layout.authority, layout.state.folder / "controller-manager.kubeconfig"
    flags: dict[str, object] = {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "bind-address": "127.0.0.1",
        "secure-port": layout.controllers_port,
        "cert-dir": layout.state.folder / "pki" / "controller-manager",
        "service-account-private-key-file": pki.key("service-accounts"),
        "root-ca-file": pki.certificate("ca"),
        "cluster-signing-cert-file": pki.certificate("ca"),
        "cluster-signing-key-file": pki.key("ca"),
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        "cluster-cidr": POD_RANGE,
        "allocate-node-cidrs": "false",
    }
    return Command("kube-controller-manager", [programs.binary("kube-controller-manager"), *flag_list(flags)])

"""The configuration of a node's parts."""

import base64
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.cluster import kubeconfig, node_config, programs
from e2e.cluster.api_server import AUDIT_POLICY, Layout, api_server, controller_manager, etcd, write_audit_policy
from e2e.cluster.certificates import Authority, Subject
from e2e.cluster.kubectl import all_ready
from e2e.cluster.namespaces import PRIVATE, mount_script
from e2e.cluster.node_config import Node
from e2e.cluster.processes import Command
from e2e.cluster.state import State


@pytest.fixture
def node(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(programs, "binary", lambda name: cache / name)
    state = State("demo")
    return Node(Layout(state, Authority(state.folder / "pki"), "172.31.1.2", 6443))


def flags(command: Command) -> dict[str, str]:
    pairs = (str(each).removeprefix("--").split("=", 1) for each in command.arguments[1:])
    return {pair[0]: pair[1] for pair in pairs}


def test_containerd_keeps_to_its_own_folders(node: Node) -> None:
    config = tomllib.loads(node_config.containerd_toml(node))
    assert all(config[key].startswith(str(node.folder)) for key in ("root", "state"))
    assert config["grpc"]["address"] == str(node.socket)
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["restrict_oom_score_adj"] is True


def test_two_kubelets_do_not_share_a_control_group(node: Node) -> None:
    assert node_config.kubelet_config(node)["cgroupRoot"] == "/coderag-demo"


def test_kubelet_asks_for_who_is_calling(node: Node) -> None:
    config = node_config.kubelet_config(node)
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["authorization"]["mode"] == "Webhook"


def test_pods_ask_the_name_service_on_the_node(node: Node) -> None:
    assert node_config.kubelet_config(node)["clusterDNS"] == ["172.31.1.2"]
    assert "bind 172.31.1.2" in node_config.corefile(node)


def plugins(corefile: str) -> set[str]:
    """The first word of each line of a server block."""
    depth, found = 0, set()
    for line in corefile.splitlines():
        depth -= line.strip() == "}"
        found |= {line.split()[0]} if depth == 1 and line.strip() != "}" else set()
        depth += line.endswith("{")
    return found


def test_coredns_is_built_with_the_plugins_that_the_corefile_names(node: Node) -> None:
    main = (programs.KUBERNETES.sources / "coredns" / "main.go").read_text()
    alone, joined = node_config.corefile(node), node_config.corefile(replace(node, resolver="172.31.1.1"))
    assert set(re.findall(r"coredns/plugin/(\w+)", main)) == plugins(alone) | plugins(joined)


def test_every_part_speaks_to_the_api_under_its_own_name(node: Node) -> None:
    parts = (
        node_config.scheduler(node),
        node_config.kubelet(node),
        node_config.proxy(node),
        controller_manager(node.layout),
    )
    assert len({flags(part)["kubeconfig"] for part in parts}) == len(parts)


def test_configuration_files_are_written_and_parse(node: Node) -> None:
    node_config.write_files(node)
    assert json.loads((node.folder / "kubelet.json").read_text())["kind"] == "KubeletConfiguration"
    assert json.loads((node.folder / "cni" / "10-coderag.conflist").read_text())["plugins"][0]["type"] == "ptp"
    assert (node.folder / "run").is_dir()
    assert str(node_config.containerd(node).arguments[-1]) == str(node.folder / "containerd.toml")
    assert str(node_config.coredns(node).arguments[-1]) == str(node.folder / "Corefile")


def test_the_api_server_writes_an_audit_log_without_bodies(node: Node) -> None:
    write_audit_policy(node.layout.state)
    assert flags(api_server(node.layout))["audit-log-path"] == str(node.layout.state.audit_log)
    assert AUDIT_POLICY["rules"] == [{"level": "Metadata"}]
    assert AUDIT_POLICY["omitStages"] == ["RequestReceived"]


def test_without_controllers_pods_need_no_service_account(node: Node) -> None:
    bare = Layout(node.layout.state, node.layout.authority, "127.0.0.1", 1, service_accounts=False)
    assert flags(api_server(bare))["disable-admission-plugins"] == "ServiceAccount"
    assert "disable-admission-plugins" not in flags(api_server(node.layout))


def test_etcd_takes_only_clients_with_a_certificate(node: Node) -> None:
    assert flags(etcd(node.layout))["client-cert-auth"] == "true"


def test_a_kubeconfig_holds_everything() -> None:
    config = json.loads(kubeconfig.render("demo", "https://172.31.1.2:6443", b"ca", b"crt", b"key"))
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]) == b"key"
    assert config["clusters"][0]["cluster"]["server"] == "https://172.31.1.2:6443"
    assert config["current-context"] == config["contexts"][0]["name"]


def test_a_certificate_names_addresses_and_hosts() -> None:
    subject = Subject("kubelet", "system:nodes", ["demo-node", "172.31.1.2"])
    assert subject.line() == "/O=system:nodes/CN=kubelet"
    assert "subjectAltName=DNS:demo-node,IP:172.31.1.2" in subject.extensions()
    assert "subjectAltName" not in Subject("client").extensions()


def test_fixed_folders_are_hidden_behind_own_ones(tmp_path: Path) -> None:
    script = mount_script(tmp_path)
    assert all(f"mount --bind '{tmp_path}{path}' {path}" in script for path in PRIVATE)
    assert script.index("make-rshared") < script.index("tmpfs")


def nodes(*ready: str) -> str:
    return json.dumps({"items": [{"status": {"conditions": [{"type": "Ready", "status": each}]}} for each in ready]})


def test_a_cluster_is_ready_when_every_node_is() -> None:
    assert all_ready(nodes("True"))
    assert not all_ready(nodes("True", "False"))
    assert not all_ready(nodes())
    assert not all_ready('{"items": [{"status": {}}]}')

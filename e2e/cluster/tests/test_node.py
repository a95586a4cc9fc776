"""The node provider, for real: what runs on it, what survives, and that nothing of it is left."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.cluster import cgroups, packages, programs
from e2e.cluster.addresses import remembered
from e2e.cluster.base_image import BASE, ensure_base
from e2e.cluster.commands import run
from e2e.cluster.identity import tagged
from e2e.cluster.node import NodeProvider
from e2e.cluster.options import Options
from e2e.cluster.processes import TAG, Command, Processes
from e2e.cluster.tests.outside import fetch_pod, served
from e2e.cluster.waiting import wait_until
from e2e.standins.tiny_gguf import write_model

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
NAME = "harness"
WORKLOAD = str(Path(__file__).with_name("workload.json"))


@pytest.fixture(scope="module")
def before() -> str:
    """This machine's own network before there is a node."""
    packages.need(packages.FOR_NODE)
    return machine_settings()


@pytest.fixture(scope="module")
def node(before: str) -> Iterator[NodeProvider]:
    """A node that announces one GPU, with the restricted workload on it."""
    provider = NodeProvider(NAME, Options(gpus=1, labels={"nvidia.com/gpu.memory": "6144"}))
    provider.down()
    provider.up()
    ensure_base()
    provider.load_images([BASE])
    provider.kubectl("apply", "--server-side", "--filename", WORKLOAD)
    provider.kubectl("-n", "t", "wait", "--for=condition=Ready", "pod/web", "--timeout=50s")
    yield provider
    provider.down()


def inside(node: NodeProvider, script: str) -> str:
    return node.kubectl("-n", "t", "exec", "web", "--", "python3", "-c", script).stdout.strip()


# A Service's rules reach the node a moment after its pod is ready: until then the connection is refused.
FETCH = """
import time, urllib.error, urllib.request
deadline = time.monotonic() + 30
while True:
    try:
        print(urllib.request.urlopen('http://web.t.svc.cluster.local/x', timeout=10).read())
        break
    except urllib.error.URLError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.2)
"""


KNOCK = """
import socket
try:
    socket.create_connection(('{}', {}), timeout=5).close()
    print('open')
except OSError as error:
    print(error)
"""


def machine_settings() -> str:
    """What of this machine's own network could let others in: forwarding, and the packet filter."""
    packet_filter = run(["nft", "list", "ruleset"], what="reading this machine's packet filter").stdout
    return Path("/proc/sys/net/ipv4/ip_forward").read_text() + packet_filter


def apply(node: NodeProvider, manifest: dict[str, Any]) -> None:
    command = [programs.binary("kubectl"), "--kubeconfig", node.state.kubeconfig, "apply", "-f", "-"]
    run(command, what="applying a manifest", text_in=json.dumps(manifest))


def test_a_restricted_pod_writes_to_its_volume_and_is_reached_by_name(node: NodeProvider) -> None:
    assert inside(node, FETCH) == r"b'hello\n'"
    assert "GET /x" in node.kubectl("-n", "t", "logs", "web").stdout


def test_an_unknown_name_is_refused_at_once(node: NodeProvider) -> None:
    script = "import socket\ntry: socket.gethostbyname('example.test')\nexcept socket.gaierror as e: print(e.errno)"
    assert inside(node, script) == "-2"


def test_a_pod_fetches_a_model_from_outside_the_cluster(node: NodeProvider, tmp_path: Path) -> None:
    write_model(tmp_path / "chat.gguf", "chat")
    node.load_images(["localhost/coderag-model:dev"])
    with served(tmp_path) as url:
        apply(node, fetch_pod(f"{url}/chat.gguf", tmp_path / "chat.gguf"))
        phase = "--for=jsonpath={.status.phase}=Succeeded"
        done = node.kubectl("-n", "t", "wait", phase, "pod/fetch", "--timeout=50s", check=False)
        assert done.returncode == 0, node.kubectl("-n", "t", "logs", "fetch", check=False).stdout
    node.kubectl("-n", "t", "delete", "pod", "fetch")


def test_the_way_out_changes_nothing_of_the_machines_own_network(node: NodeProvider, before: str) -> None:
    assert node.status().ready
    assert machine_settings() == before


def test_a_policy_closes_and_opens_a_pod(node: NodeProvider) -> None:
    kubelet_still_sees_it = ("-n", "t", "wait", "--for=condition=Ready", "pod/web", "--timeout=50s")
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": "t"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    assert inside(node, KNOCK.format("kubernetes.default", 443)) == "open"
    apply(node, policy)
    assert wait_until(lambda: inside(node, KNOCK.format("10.96.0.1", 443)) != "open", 30)
    node.kubectl(*kubelet_still_sees_it)
    node.kubectl("-n", "t", "delete", "networkpolicy", "closed")
    assert wait_until(lambda: inside(node, KNOCK.format("kubernetes.default", 443)) == "open", 30)


def test_a_port_is_forwarded_to_this_machine(node: NodeProvider) -> None:
    forward = Processes(node.state)
    arguments = ["--kubeconfig", node.state.kubeconfig, "-n", "t", "port-forward", "service/web", ":80"]
    forward.start(Command("forward", [programs.binary("kubectl"), *arguments]))
    log = forward.log("forward")
    forward.await_ready("forward", lambda: "Forwarding from" in log.read_text())
    address = log.read_text().split("Forwarding from ")[1].split(" ")[0]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{address}/x", timeout=10) as answer:
        assert answer.read() == b"hello\n"
    forward.stop("forward")


def test_a_stopped_kubelet_comes_back_and_the_gpu_is_still_there(node: NodeProvider) -> None:
    node.stop_process("kubelet")
    assert "stopped: kubelet" in node.status().problem
    node.start_process("kubelet")
    found = json.loads(node.kubectl("get", "node", f"{NAME}-node", "--output", "json").stdout)
    assert found["status"]["capacity"]["nvidia.com/gpu"] == "1"
    assert found["metadata"]["labels"]["nvidia.com/gpu.memory"] == "6144"


def test_up_starts_again_what_died_and_keeps_what_is_stored(node: NodeProvider) -> None:
    for name in ("kube-apiserver", "etcd", "volumes"):
        node.stop_process(name)
    assert not node.status().ready
    assert node.up().ready
    assert node.kubectl("-n", "t", "get", "pod", "web", "--output", "name").stdout.strip() == "pod/web"


def test_a_deleted_claim_takes_its_data_along(node: NodeProvider) -> None:
    assert [path.name for path in (node.state.folder / "volumes").glob("*/x")] == ["x"]
    node.kubectl("delete", "namespace", "t", "--timeout=50s")
    assert wait_until(lambda: not list((node.state.folder / "volumes").iterdir()), 60)
    assert wait_until(lambda: not node.kubectl("get", "pv", "--output", "name").stdout, 60)
    node.kubectl("apply", "--server-side", "--filename", WORKLOAD)
    node.kubectl("-n", "t", "wait", "--for=condition=Ready", "pod/web", "--timeout=50s")


def test_down_leaves_nothing_even_with_pods_running(node: NodeProvider) -> None:
    slot = remembered(node.state)
    assert slot is not None
    assert cgroups.members(cgroups.roots(NAME)[0])
    node.down()
    node.down()
    assert tagged(TAG, str(node.state.folder)) == []
    assert not node.state.exists()
    assert not node.namespaces.network.exists()
    assert not Path("/sys/class/net", slot.interface).exists()
    assert [root for root in cgroups.roots(NAME) if root.exists()] == []
    assert str(node.state.folder) not in Path("/proc/mounts").read_text()
    assert node.status().problem == "not up"

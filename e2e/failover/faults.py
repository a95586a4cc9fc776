"""What can go wrong, each as a block: entering it does the damage, leaving it ends the cause (not the consequences).

A fault of a model server is done to the pod that has the role when it begins. Signals need the node's processes to be
this machine's; the rest goes through the API server.
"""

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from e2e import install
from e2e.cluster.node import NodeProvider
from e2e.cluster.waiting import wait_until
from e2e.failover import processes
from e2e.failover.site import OPERATOR, SYSTEM, Site, operator_site
from e2e.kubectl import CommandError

Act = Callable[[Site], AbstractContextManager[None]]


@contextmanager
def killed(site: Site, role: str = "chat") -> Iterator[None]:
    """Kill the server's process: its container starts again in the same pod."""
    processes.send(site.pod(role)["metadata"]["uid"], signal.SIGKILL)
    yield


@contextmanager
def stopped(site: Site, role: str = "chat") -> Iterator[None]:
    """Stop the server's processes: connections are still taken, nothing answers. What is left at the end continues."""
    uid = site.pod(role)["metadata"]["uid"]
    processes.send(uid, signal.SIGSTOP)
    try:
        yield
    finally:
        # One that is being replaced, as it should be, must not be helped to a last word.
        if any(pod["metadata"]["uid"] == uid for pod in site.pods(role)):
            processes.send(uid, signal.SIGCONT)


@contextmanager
def deleted(site: Site, role: str = "chat") -> Iterator[None]:
    """Delete the pod as a person would."""
    site.kubectl("delete", "pod", site.pod(role)["metadata"]["name"], "--wait=false")
    yield


def switched(role: str = "chat", **switches: Any) -> Act:
    """Return a fault that sets switches of a stand-in server, and puts them back where its pod is still there."""

    @contextmanager
    def act(site: Site) -> Iterator[None]:
        name = site.pod(role)["metadata"]["name"]
        before = switch(site, name, switches)
        try:
            yield
        finally:
            if any(pod["metadata"]["name"] == name for pod in site.pods(role)):  # and is not on its way out
                switch(site, name, {key: before[key] for key in switches})

    return act


def switch(site: Site, pod: str, switches: dict[str, Any]) -> dict[str, Any]:
    """Set switches of a stand-in server; return all of them as they were."""
    found = site.get("pod", pod)
    if not found:
        raise CommandError(f"pod {pod} is gone")
    port = found["spec"]["containers"][0]["ports"][0]["containerPort"]
    key = site.key("llama-api-key")
    with site.cluster.forward(site.namespace, f"pod/{pod}", port) as url:
        before = json.loads(install.request("GET", f"{url}/admin/switches", key))
        install.request("PUT", f"{url}/admin/switches", key, json.dumps(switches).encode())
    return dict(before)


@contextmanager
def operator_down(site: Site) -> Iterator[None]:
    """Take the operator away, and bring it back."""
    scale_operator(site, 0)
    try:
        yield
    finally:
        scale_operator(site, 1)


def scale_operator(site: Site, replicas: int) -> None:
    """Set the number of operators and wait until that many run."""
    operator = operator_site(site.cluster)
    operator.kubectl("scale", f"deployment/{OPERATOR}", f"--replicas={replicas}")
    operator.kubectl("rollout", "status", f"deployment/{OPERATOR}", "--timeout=120s")
    if not wait_until(lambda: len(operator.pods("")) == replicas, 60):
        raise CommandError(f"the operator does not run {replicas} times")


def kill_operator(site: Site) -> None:
    """Kill the operator without a word: its Lease stays taken, the next one has to wait for it."""
    selector = "app.kubernetes.io/name=coderag-operator"
    where = ("-n", SYSTEM)
    site.cluster.kubectl(*where, "delete", "pod", "-l", selector, "--force", "--grace-period=0", "--wait=false")


@contextmanager
def operator_killed(site: Site, every: float = 20) -> Iterator[None]:
    """Kill the operator at once and then every few seconds."""
    stop = threading.Event()

    def run() -> None:
        while True:
            kill_operator(site)
            if stop.wait(every):
                return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def together(*acts: Act) -> Act:
    """Return one fault made of several, begun in this order."""

    @contextmanager
    def act(site: Site) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for one in acts:
                stack.enter_context(one(site))
            yield

    return act


@contextmanager
def scaled_away(site: Site, workload: str) -> Iterator[None]:
    """Take every pod of a workload away; the operator, which would bring them back, has to be down."""
    site.kubectl("scale", workload, "--replicas=0")
    site.kubectl("rollout", "status", workload, "--timeout=120s")
    try:
        yield
    finally:
        site.kubectl("scale", workload, "--replicas=1")


def node_provider(site: Site) -> NodeProvider:
    """Return the node provider of this cluster; raises CommandError for a cluster of another kind."""
    provider = NodeProvider(site.cluster.kubeconfig.parent.name)
    if (provider.state.settings() or {}).get("provider") != "node":
        raise CommandError("this fault needs a cluster of the node provider")
    return provider


@contextmanager
def kubelet_restarted(site: Site, down: float = 5) -> Iterator[None]:
    """Stop kubelet, and start it again after a few seconds."""
    provider = node_provider(site)
    provider.stop_process("kubelet")
    try:
        threading.Event().wait(down)
    finally:
        provider.start_process("kubelet")
    yield


@contextmanager
def drained(site: Site, seconds: int = 120) -> Iterator[None]:
    """Drain the one node; at the end it takes pods again."""
    node = site.cluster.get("nodes")["items"][0]["metadata"]["name"]
    try:
        site.cluster.kubectl(
            "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--timeout={seconds}s"
        )
        yield
    finally:
        site.cluster.kubectl("uncordon", node)


def model_replaced(file: str) -> Act:
    """Return a change of the model by hand: another file in the arguments of the plain stack's Deployment."""

    @contextmanager
    def act(site: Site) -> Iterator[None]:
        name = f"deployment/{site.name}-chat"
        arguments = site.get(name)["spec"]["template"]["spec"]["containers"][0]["args"]
        at = arguments.index("--model") + 1
        change = {"op": "replace", "path": f"/spec/template/spec/containers/0/args/{at}", "value": f"/models/{file}"}
        site.kubectl("patch", name, "--type=json", "-p", json.dumps([change]))
        site.kubectl("rollout", "status", name, "--timeout=300s")
        yield

    return act

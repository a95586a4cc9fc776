"""One cluster, one chart, one stack for all scenarios; each scenario puts back what it changed.

With KUBECONFIG set, the scenarios run against that cluster (the images must be there); without it, a node of their
own is brought up under the name `e2e` and taken down at the end (CODERAG_E2E_KEEP=1 leaves it for a look).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e import install
from e2e.kubectl import Cluster
from e2e.progress import wait_for_stack
from e2e.waiting import holds

NAMESPACE = "coderag-e2e"
STACK = "demo"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every scenario carries the marker, whatever its file says."""
    for item in items:
        if "scenarios" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@dataclass(frozen=True)
class Stack:
    """A converged stack and the way to it."""

    cluster: Cluster
    namespace: str
    name: str
    token: str
    commit: str

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return objects of the stack's namespace."""
        return self.cluster.get(*arguments, "-n", self.namespace)

    def kubectl(self, *arguments: str, **options: Any) -> str:
        """Run kubectl in the stack's namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, **options)

    def patch(self, spec: dict[str, Any]) -> None:
        """Merge-patch the spec of the stack."""
        self.kubectl("patch", "crs", self.name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def wait(self, *kinds: str, seconds: float = 300) -> dict[str, Any]:
        """Wait until conditions are True at the current generation."""
        return wait_for_stack(self.cluster, self.namespace, self.name, kinds, seconds)

    def roles(self) -> list[dict[str, Any]]:
        """Return who serves each role."""
        return list(self.get("crs", self.name)["status"]["roles"])

    def is_home(self) -> bool:
        """Tell whether each role is served by its own model, and has been for long enough that no flap is counted."""
        return all(role["active"] in (role["role"], "external") and "flaps" not in role for role in self.roles())

    def children(self, kind: str) -> list[dict[str, Any]]:
        """Return the children of one kind."""
        return list(self.get(kind, "-l", f"coderag.dev/stack={self.name}").get("items", []))

    def key(self, name: str = "api-key") -> str:
        """Return one of the stack's keys."""
        return install.read_key(self.cluster, self.namespace, self.name, name)


def start_own_cluster() -> Cluster:
    """Bring up the node of the scenarios with every image in it."""
    tool = [sys.executable, "-m", "e2e.cluster"]
    subprocess.run([*tool, "up", "--name", "e2e"], check=True)
    subprocess.run([*tool, "load-image", "--name", "e2e", "--all"], check=True)
    return install.open_cluster("e2e")


def use_given_cluster(kubeconfig: str) -> Cluster:
    """Use the cluster that KUBECONFIG names; its audit log, if it can be read, comes from CODERAG_E2E_AUDIT_LOG."""
    audit = os.environ.get("CODERAG_E2E_AUDIT_LOG")
    return Cluster(Path(kubeconfig), find("kubectl"), find("helm"), Path(audit) if audit else None)


def find(program: str) -> Path:
    """Return a program of the PATH, by its whole path: the oldest kubectl on it need not be the right one."""
    found = shutil.which(program)
    assert found, f"{program} is not on the PATH"
    return Path(found)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of this run."""
    given = os.environ.get("KUBECONFIG")
    if given:
        yield use_given_cluster(given)
        return
    yield start_own_cluster()
    if not os.environ.get("CODERAG_E2E_KEEP"):
        subprocess.run([sys.executable, "-m", "e2e.cluster", "down", "--name", "e2e"], check=True)


@pytest.fixture(scope="session")
def operator(cluster: Cluster) -> Cluster:
    """The cluster with the chart installed."""
    install.install_chart(cluster)
    return cluster


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """The example of the demo, the models still without their digests."""
    document = yaml.safe_load(Path("examples/demo.yaml").read_text().replace("coderag-demo", NAMESPACE))
    document["metadata"]["name"] = STACK
    document["spec"]["vectorStore"]["deletionPolicy"] = "Retain"
    # Short, so that a role that one scenario moved is back, and forgotten, before the next one looks.
    document["spec"]["failover"] = {"failbackAfter": "5s", "dwell": "10s", "flapWindow": "10s", "stallAfter": "10s"}
    return dict(document)


@pytest.fixture(scope="session")
def stack(operator: Cluster, manifest: dict[str, Any]) -> Stack:
    """The demo's stack, Ready and indexed, in a namespace that enforces the restricted level."""
    install.make_namespace(operator, NAMESPACE)
    token = install.deploy_standins(operator, NAMESPACE, "hub", "git", "openai")
    commit = install.push_repository(operator, NAMESPACE, token, "coderag", Path())
    for role, digest in install.read_model_hashes(operator, NAMESPACE).items():
        manifest["spec"]["models"][Path(role).stem]["llamaCpp"]["source"]["http"]["sha256"] = digest
    operator.apply(manifest, namespace=NAMESPACE)
    wait_for_stack(operator, NAMESPACE, STACK, ("Ready", "IndexReady"), 1200)
    return Stack(operator, NAMESPACE, STACK, token, commit)


@pytest.fixture(autouse=True)
def converged_afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    """No scenario leaves the stack in a state that fails the next one."""
    yield
    if "stack" in request.fixturenames and "last" not in request.keywords:
        stack = request.getfixturevalue("stack")
        stack.wait("Ready", seconds=300)
        assert holds(stack.is_home, 120), f"a role is, or was just now, served by the other model: {stack.roles()}"


@pytest.fixture
def rag(stack: Stack) -> Iterator[str]:
    """The address of the search service, for as long as a scenario lasts."""
    with stack.cluster.forward(stack.namespace, f"service/{stack.name}-rag", 8002) as url:
        yield url

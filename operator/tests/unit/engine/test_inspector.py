"""Nodes are read every ten seconds, sooner for a new spec, and a busy API server does not make them unknown."""

from collections import Counter
from collections.abc import Iterator

import pytest
from coderag_operator.engine.inspector import AGE_SECONDS, FRESH_SECONDS, Inspector
from coderag_operator.errors import Blocked, Failure, Transient, Unserved
from coderag_operator.kube.client import Manifest
from coderag_operator.kube.kinds import Kind
from coderag_operator.observed.devices import Machines
from tests.support.machines import live_node, live_slice
from tests.support.memory_kube import MemoryKube


class Cluster(MemoryKube):
    """A cluster with one node and one slice, whose lists can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.failures: dict[str, Failure] = {}
        self.now = 0.0

    def scan(self, kind: Kind) -> Iterator[Manifest]:
        self.asked[kind.name] += 1
        if kind.name in self.failures:
            raise self.failures[kind.name]
        yield live_node("a", memory=6144) if kind.name == "Node" else live_slice("a", "6Gi")


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def inspector(cluster: Cluster) -> Inspector:
    return Inspector(cluster, lambda: cluster.now)


def names(found: Machines) -> tuple[list[str] | None, list[str] | None]:
    """Return the names of nodes and devices."""
    nodes = None if found.nodes is None else [one.name for one in found.nodes]
    return nodes, None if found.devices is None else [one.name for one in found.devices]


def test_nodes_and_slices_are_read_every_ten_seconds(cluster: Cluster, inspector: Inspector) -> None:
    assert names(inspector(new_spec=False)) == (["a"], ["gpu-0"])
    cluster.now = AGE_SECONDS - 1
    inspector(new_spec=False)
    assert cluster.asked == {"Node": 1, "ResourceSlice": 1}
    cluster.now = AGE_SECONDS
    inspector(new_spec=False)
    assert cluster.asked == {"Node": 2, "ResourceSlice": 2}


def test_a_new_spec_looks_again_and_many_at_once_share_one_look(cluster: Cluster, inspector: Inspector) -> None:
    inspector(new_spec=False)
    cluster.now = FRESH_SECONDS
    inspector(new_spec=True)
    assert cluster.asked["Node"] == 2
    cluster.now += FRESH_SECONDS / 2
    inspector(new_spec=True)
    assert cluster.asked["Node"] == 2


def test_without_the_right_nodes_are_unknown(cluster: Cluster, inspector: Inspector) -> None:
    cluster.failures["Node"] = Blocked("Forbidden", "no")
    assert inspector(new_spec=False) == Machines(None, None)
    assert cluster.asked == {"Node": 1}


@pytest.mark.parametrize("failure", [Blocked("Forbidden", "no"), Unserved("NotServed", "too old")])
def test_a_cluster_without_slices_still_has_nodes(cluster: Cluster, inspector: Inspector, failure: Failure) -> None:
    cluster.failures["ResourceSlice"] = failure
    assert names(inspector(new_spec=False)) == (["a"], None)


@pytest.mark.parametrize("kind", ["Node", "ResourceSlice"])
def test_what_was_known_stays_while_the_api_server_is_busy(cluster: Cluster, inspector: Inspector, kind: str) -> None:
    known = inspector(new_spec=False)
    cluster.failures[kind], cluster.now = Transient("Timeout", "busy"), AGE_SECONDS
    assert inspector(new_spec=False) is known
    cluster.now = 2 * AGE_SECONDS - 1
    inspector(new_spec=False)
    assert cluster.asked[kind] == 2
    cluster.failures.clear()
    cluster.now = 2 * AGE_SECONDS
    assert names(inspector(new_spec=False)) == (["a"], ["gpu-0"])


def test_nothing_known_and_a_busy_api_server_is_a_pass_to_try_again(cluster: Cluster, inspector: Inspector) -> None:
    cluster.failures["Node"] = Transient("Timeout", "busy")
    with pytest.raises(Transient):
        inspector(new_spec=False)
    cluster.failures.clear()
    assert names(inspector(new_spec=False)) == (["a"], ["gpu-0"])

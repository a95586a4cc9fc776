"""Who reaches whom: every pair of pods is tried from inside the pods, and only the calls that are declared get through.

A cluster whose network does not enforce NetworkPolicies cannot show this: one policy is tried first, and the scenarios
are skipped where it changes nothing.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from coderag_operator.desired.names import GATEWAY, INGESTION, PREVIOUS, QDRANT, RAG
from coderag_operator.desired.names import PORTS as ALL_PORTS
from coderag_operator.desired.network import CALLS, DOORS

from e2e import install
from e2e.failover import faults
from e2e.failover.site import Site
from e2e.waiting import wait_until

FAR = "coderag-e2e-far"
PORTS = {component: port for component, port in ALL_PORTS.items() if component != PREVIOUS}  # there only for a while
OPERATOR, NEAR, AWAY, API, NAMES = "operator", "neighbour", "stranger", "the API", "names"
# What the example's stack calls outside of itself, on any port, because the repository is served inside the cluster.
CALLS_ANY_POD = (INGESTION,)
ASKS_NAMES = (GATEWAY, RAG, INGESTION)
# Whether "any pod" means an API server that is a pod on the node's own address differs from network to network.
UNSAID = {(INGESTION, API)}
CLOSED = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "closed"},
          "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}  # fmt: skip
# Runs inside a pod: "" for a connection that was made, else what the kernel said. Names are tried like addresses.
TRY_ALL = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def attempt(target):
    try:
        if target[1]:
            socket.create_connection(target, timeout=3).close()
        else:
            socket.getaddrinfo(target[0], 443)
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    return ""
targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps(dict(zip(targets, pool.map(attempt, targets.values())))))
"""


@dataclass(frozen=True)
class Place:
    """A pod that calls and is called."""

    namespace: str
    pod: str
    address: str
    port: int


@dataclass
class Ground:
    """Everyone there is, by role, and who can be called besides them."""

    stack: object
    places: dict[str, Place] = field(default_factory=dict)
    others: dict[str, tuple[str, int]] = field(default_factory=dict)

    def targets(self) -> dict[str, tuple[str, int]]:
        """Return every address that is tried, by role."""
        return {role: (place.address, place.port) for role, place in self.places.items()} | self.others

    def try_from(self, role, targets=None):
        """Return what happened to a connection to each target, tried inside the pod of a role."""
        place, wanted = self.places[role], targets or self.targets()
        command = ("exec", place.pod, "--", "python3", "-c", TRY_ALL, json.dumps(wanted))
        return json.loads(self.stack.cluster.kubectl("-n", place.namespace, *command))

    def reaches(self, source, target):
        """Tell whether one pod reaches another now."""
        place = self.places[target]
        return self.try_from(source, {target: (place.address, place.port)})[target] == ""


def find_pod(cluster, namespace, selector):
    """Return the running pod of a selector."""
    found = cluster.get("pods", "-n", namespace, "-l", selector, "--field-selector=status.phase=Running")["items"]
    return next(pod for pod in found if "deletionTimestamp" not in pod["metadata"])


def place_of(cluster, namespace, selector, port):
    """Return where the pod of a selector is."""
    pod = find_pod(cluster, namespace, selector)
    return Place(namespace, pod["metadata"]["name"], pod["status"]["podIP"], port)


def survey(stack):
    """Return everyone there is."""
    cluster, ground = stack.cluster, Ground(stack)
    for component, port in PORTS.items():
        selector = f"app.kubernetes.io/instance={stack.name},app.kubernetes.io/component={component}"
        ground.places[component] = place_of(cluster, stack.namespace, selector, port)
    ground.places[OPERATOR] = place_of(cluster, install.SYSTEM, "app.kubernetes.io/name=coderag-operator", 8080)
    for role, namespace in ((NEAR, stack.namespace), (AWAY, FAR)):
        ground.places[role] = place_of(cluster, namespace, "app=standins-hub", install.PORTS["hub"])
    ground.others[API] = (cluster.get("service", "kubernetes", "-n", "default")["spec"]["clusterIP"], 443)
    ground.others[NAMES] = ("kubernetes.default.svc.cluster.local.", 0)
    return ground


@pytest.fixture(scope="module")
def ground(stack):
    """Everyone, with a stranger in a namespace of its own; skips where the network enforces nothing."""
    install.make_namespace(stack.cluster, FAR)
    install.deploy_standins(stack.cluster, FAR, "hub")
    found = survey(stack)
    if not enforces(found):
        pytest.skip("a policy that closes a pod changed nothing: this cluster's network does not enforce them")
    yield found
    stack.cluster.kubectl("delete", "namespace", FAR, "--wait=false")


def enforces(ground):
    """Tell whether a policy makes a difference here; it is taken away again."""
    cluster = ground.stack.cluster
    assert ground.reaches(NEAR, AWAY), "pods do not reach each other at all"
    cluster.apply(CLOSED, namespace=FAR)
    try:
        wait_until(lambda: not ground.reaches(NEAR, AWAY), "a closed pod", 20)
    except AssertionError:
        return False
    finally:
        cluster.kubectl("-n", FAR, "delete", "networkpolicy", "closed")
    wait_until(lambda: ground.reaches(NEAR, AWAY), "an open pod")
    return True


def takes(target, source):
    """Tell whether a pod takes connections from another."""
    if target not in PORTS or source == OPERATOR:
        return True
    return source != AWAY if target in DOORS else target in CALLS.get(source, ())


def makes(source, target):
    """Tell whether a pod makes connections to a target."""
    if source not in PORTS:
        return source != OPERATOR or target in PORTS or target in (API, NAMES, OPERATOR)
    if target == NAMES:
        return source in ASKS_NAMES
    return target in CALLS.get(source, ()) or source in CALLS_ANY_POD


def expected(ground):
    """Return for every pair whether it connects; a pod always reaches itself."""
    pairs = {(source, target) for source in ground.places for target in ground.targets()} - UNSAID
    return {(source, target): source == target or (makes(source, target) and takes(target, source))
            for source, target in sorted(pairs)}  # fmt: skip


def differences(ground, pairs):
    """Try all pairs at once and return those that are not as expected."""
    with ThreadPoolExecutor(len(ground.places)) as pool:
        tried = dict(zip(ground.places, pool.map(ground.try_from, ground.places), strict=True))
    return {f"{source} -> {target}": tried[source][target] or "connected"
            for (source, target), open_ in pairs.items() if (tried[source][target] == "") is not open_}  # fmt: skip


def test_only_declared_calls_get_through(ground):
    pairs = expected(ground)
    assert {True, False} == set(pairs.values())
    wrong = differences(ground, pairs)
    assert (wrong and differences(ground, pairs)) == {}  # a second look: on a busy machine an answer may take long


def test_a_door_is_open_to_the_namespace_and_the_store_is_not(ground):
    assert ground.reaches(NEAR, RAG)
    assert not ground.reaches(AWAY, RAG)
    assert not ground.reaches(NEAR, QDRANT)
    assert ground.reaches(RAG, QDRANT)


def test_a_deleted_policy_opens_a_pod_until_the_operator_closes_it_again(ground, stack):
    name = f"networkpolicy/{stack.name}-{QDRANT}"
    with faults.operator_down(Site(stack.cluster, stack.namespace, stack.name)):
        stack.kubectl("delete", name)
        wait_until(lambda: ground.reaches(AWAY, QDRANT), "an open store")
    wait_until(lambda: stack.get(name), "the policy as before", 120)
    wait_until(lambda: not ground.reaches(AWAY, QDRANT), "a closed store")

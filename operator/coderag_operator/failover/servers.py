"""The pods of the two roles as failover sees them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coderag_operator.failover.progress import Pulse
from coderag_operator.observed.alive import ENDED
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Pod, Workload

STAND_IN = {"chat": "code", "code": "chat"}


@dataclass(frozen=True, slots=True)
class Server:
    """One pod of a role. `wedged`: it holds requests and gets nowhere, or does not answer at all."""

    name: str
    uid: str
    namespace: str
    role: str
    ready: bool
    leaving: bool
    turned: int
    serves: frozenset[str]
    revision: str
    controller: str
    canaries: int = 0
    trouble: str = ""
    wedged: bool = False
    verified: bool = True
    wedged_at: float | None = None  # when it will count as wedged, if it stays stuck

    @property
    def usable(self) -> bool:
        """Tell whether requests that are sent here are answered, as far as anyone knows."""
        return self.ready and not self.leaving and not self.wedged


@dataclass(frozen=True, slots=True)
class Role:
    """A role's Deployment and its pods, the one that counts first. `wanted`: it is to have a pod."""

    name: str
    servers: tuple[Server, ...] = ()
    wanted: bool = True
    exists: bool = False
    paused: bool = False
    revision: str = ""

    @property
    def own(self) -> Server | None:
        """Return the pod that serves or is to serve the role."""
        return next((server for server in self.servers if not server.leaving), None)

    @property
    def usable(self) -> bool:
        """Tell whether the role's own server answers."""
        return any(server.usable for server in self.servers)

    @property
    def leaving(self) -> bool:
        """Tell whether a pod of the role is on its way out."""
        return any(server.leaving for server in self.servers)


def read_role(
    name: str, children: Iterable[Child], pulses: Mapping[str, Pulse], patience: float, now: float, wanted: bool = True
) -> Role:
    """Return a role as it is; a server is wedged when it has been stuck for `patience` seconds."""
    mine = [child for child in children if child.component == name]
    workload = next((one.details for one in mine if one.kind == "Deployment" and not one.deleting), None)
    pods = [child for child in mine if isinstance(child.details, Pod) and child.details.phase not in ENDED]
    servers = [read_server(pod, pod.details, pulses, patience, now) for pod in pods if isinstance(pod.details, Pod)]
    servers.sort(key=lambda one: (one.leaving, not one.usable, one.name))
    if not isinstance(workload, Workload):
        return Role(name, tuple(servers), wanted)
    return Role(name, tuple(servers), wanted, True, workload.paused, workload.revision)


def read_server(child: Child, pod: Pod, pulses: Mapping[str, Pulse], patience: float, now: float) -> Server:
    """Return one pod of a role."""
    pulse = pulses.get(child.uid, Pulse())
    wedged_at = None if pulse.stuck_since is None else pulse.stuck_since + patience
    wedged = wedged_at is not None and now >= wedged_at
    return Server(
        name=child.name, uid=child.uid, namespace=child.namespace, role=child.component, ready=pod.ready,
        leaving=child.deleting, turned=pod.turned, serves=pod.serves, revision=pod.revision, controller=pod.controller,
        canaries=pulse.canaries, trouble=pulse.trouble, wedged=wedged, verified=pod.verified, wedged_at=wedged_at,
    )  # fmt: skip

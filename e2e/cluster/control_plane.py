"""etcd, kube-apiserver and, if wanted, kube-controller-manager: a real API for tests and benchmarks, in seconds.

No kubelet, so no pod ever runs. Several live side by side on 127.0.0.1, each with its own ports, keys and folder. The
node provider starts the same programs through this module, in its own network namespace.
"""

import secrets
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from e2e.cluster import kubeconfig, programs
from e2e.cluster.api_server import API_NAMES, Layout, api_server, controller_manager, etcd, write_audit_policy
from e2e.cluster.certificates import Authority, Subject
from e2e.cluster.errors import ClusterError
from e2e.cluster.locks import locked
from e2e.cluster.processes import Processes
from e2e.cluster.provider import Status
from e2e.cluster.state import State

KIND = "control-plane"
STOP_ORDER = ("kube-controller-manager", "kube-apiserver", "etcd")
PATIENCE = 180.0  # it takes 4 s on an idle machine; a busy one gets its time
ATTEMPTS = 3  # a port that was free can be taken before the server binds it


@dataclass(frozen=True)
class Ports:
    """The ports of one control plane on 127.0.0.1."""

    api: int
    etcd: int
    peer: int
    controllers: int


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on right now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class ControlPlane:
    """One control plane by name. Also a context manager that brings it up and takes it down."""

    def __init__(self, name: str = "", controllers: bool = False) -> None:
        self.state = State(name or f"plane-{secrets.token_hex(4)}")
        self.controllers = controllers
        self.processes = Processes(self.state)

    def __enter__(self) -> "ControlPlane":
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def up(self) -> Status:
        """Start it, or leave it alone when it runs; a broken or interrupted one is made anew."""
        with locked(self.state.lock, f"control plane {self.state.name}"):
            refuse_other_kind(self.state, KIND)
            self._refuse_without_controllers()
            programs.ensure(programs.KUBERNETES)
            if not self.status().ready:
                self._start_with_retries()
        return self.status()

    def _refuse_without_controllers(self) -> None:
        """Controllers cannot be added later: pods made without ServiceAccounts would stay as they are."""
        settings = self.state.settings()
        if settings and self.controllers and not settings["controllers"]:
            raise ClusterError(
                f"control plane {self.state.name} was brought up without --controllers",
                "take it down first, or use --name",
            )

    def _start_with_retries(self) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self._wipe()
            try:
                self._start(Ports(*free_ports(4)))
                return
            except ClusterError:
                if attempt == ATTEMPTS:
                    raise
                if "address already in use" not in self.processes.tail("kube-apiserver") + self.processes.tail("etcd"):
                    raise

    def _start(self, ports: Ports) -> None:
        self.state.create()
        server = f"https://127.0.0.1:{ports.api}"
        authority = make_certificates(self.state, ["127.0.0.1"])
        layout = Layout(
            state=self.state, authority=authority, address="127.0.0.1", api_port=ports.api, etcd_port=ports.etcd,
            peer_port=ports.peer, controllers_port=ports.controllers, service_accounts=self.controllers,
        )  # fmt: skip
        write_kubeconfigs(self.state, authority, server, ["admin", "controller-manager"])
        start_api(self.processes, layout)
        if self.controllers:
            self.processes.start(controller_manager(layout))
            await_controllers(self.processes, layout)
        self.state.save({"provider": KIND, "server": server, "controllers": self.controllers})

    def down(self) -> None:
        """Stop its processes and remove its folder."""
        with locked(self.state.lock, f"control plane {self.state.name}"):
            refuse_other_kind(self.state, KIND)
            self._wipe()
            self.state.lock.unlink(missing_ok=True)

    def _wipe(self) -> None:
        self.processes.stop_all(STOP_ORDER)
        self.state.remove()

    def status(self) -> Status:
        """What is there now."""
        settings = self.state.settings()
        controllers = self.controllers or (settings or {}).get("controllers", False)
        expected = ["etcd", "kube-apiserver", *(["kube-controller-manager"] if controllers else [])]
        running = {name: self.state.running(name) for name in {*expected, *self.state.processes()}}
        ready = settings is not None and all(running[name] for name in expected) and api_answers(self.state)
        return Status(
            name=self.state.name,
            provider=KIND,
            kubeconfig=str(self.state.kubeconfig),
            audit_log=str(self.state.audit_log),
            address=settings["server"] if settings else "",
            programs=str(programs.folder(programs.KUBERNETES)),
            processes=running,
            ready=ready,
        )


def refuse_other_kind(state: State, kind: str) -> None:
    """A name belongs to one provider: taking down a demo as if it were a control plane would leave half of it."""
    settings = state.settings()
    if settings and settings["provider"] != kind:
        raise ClusterError(
            f"{state.name} is a cluster of provider {settings['provider']}",
            "choose another --name, or take that one down",
        )


def make_certificates(state: State, addresses: list[str]) -> Authority:
    """The authority, the API server's certificate and the two users that every control plane has."""
    authority = Authority(state.path("pki", "x").parent)
    authority.create()
    authority.issue("apiserver", Subject("kube-apiserver", "system:masters", [*API_NAMES, *addresses]))
    authority.issue("etcd", Subject("etcd", names=["localhost", "127.0.0.1"]))
    authority.issue("admin", Subject("coderag-admin", "system:masters"))
    authority.issue("controller-manager", Subject("system:kube-controller-manager"))
    authority.signing_pair("service-accounts")
    return authority


def write_kubeconfigs(state: State, authority: Authority, server: str, users: list[str]) -> None:
    """One kubeconfig for each user."""
    for user in users:
        kubeconfig.write(state.path(f"{user}.kubeconfig"), state.name, server, authority, user)


def start_api(processes: Processes, layout: Layout) -> None:
    """Start etcd and the API server and wait until the API answers /readyz."""
    write_audit_policy(layout.state)
    processes.start(etcd(layout))
    processes.start(api_server(layout))
    processes.await_ready("kube-apiserver", lambda: api_answers(layout.state, layout.server), PATIENCE)


def await_controllers(processes: Processes, layout: Layout) -> None:
    """Wait until the controller manager works: it has made the ServiceAccount that every pod needs."""
    url = f"{layout.server}/api/v1/namespaces/default/serviceaccounts/default"
    processes.await_ready("kube-controller-manager", lambda: https_get(layout.state)(url) == 200, PATIENCE)


def api_answers(state: State, server: str = "") -> bool:
    """Does the API answer /readyz to the administrator?"""
    server = server or (state.settings() or {}).get("server", "")
    return bool(server) and https_get(state)(f"{server}/readyz") == 200


def https_get(state: State) -> Callable[[str], int]:
    """A function that asks with the administrator's certificate and gives the HTTP status, 0 when nothing answers."""
    pki = state.folder / "pki"
    try:
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    except (FileNotFoundError, ssl.SSLError):
        return lambda _: 0

    def get(url: str) -> int:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(url, timeout=3) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    return get

"""The namespaces that keep a cluster apart from its machine and from other clusters.

Network: ports, addresses, routes and packet filter tables are its own; a pair of interfaces joins it to the machine.
Mounts: what kubelet and containerd mount is visible only inside and gone with the last process, so that nothing is left
to unmount; folders whose path is fixed in the programs are its own as well.
"""

from pathlib import Path

from e2e.cluster import programs, way_out
from e2e.cluster.addresses import Slot, take
from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError
from e2e.cluster.locks import locked
from e2e.cluster.paths import made
from e2e.cluster.processes import Command, Processes
from e2e.cluster.state import State, clusters

HOLDER = "namespaces"
# Paths that kubelet, CNI and its plugins have built in.
PRIVATE = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/pods", "/var/log/containers")


class Namespaces:
    """The network and mount namespace of one cluster."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.name = f"coderag-{state.name}"
        self.network = Path("/run/netns") / self.name

    def up(self) -> Slot:
        """Make them, unless they are there."""
        with locked(clusters() / ".slots.lock", "choosing addresses"):
            slot = take(self.state)
            if not self.network.exists():
                self._make_network(slot)
        self._hold()
        if way_out.possible():
            self._open(slot)
        return slot

    def _make_network(self, slot: Slot) -> None:
        if not self.network.parent.exists():
            marker().touch()
        what = f"making the network of cluster {self.state.name}"
        inside = ["ip", "-netns", self.name]
        for command in (
            ["ip", "netns", "add", self.name],
            ["ip", "link", "add", slot.interface, "type", "veth", "peer", "name", "eth0", "netns", self.name],
            ["ip", "address", "add", f"{slot.host}/30", "dev", slot.interface],
            ["ip", "link", "set", slot.interface, "up"],
            [*inside, "link", "set", "lo", "up"],
            [*inside, "address", "add", f"{slot.node}/30", "dev", "eth0"],
            [*inside, "link", "set", "eth0", "up"],
            ["nsenter", f"--net={self.network}", "sysctl", "-qw", "net.ipv4.ip_forward=1"],
        ):
            run(command, what=what)
        masquerade = ["nsenter", f"--net={self.network}", "nft", "--file", "-"]
        run(masquerade, what=what, text_in=way_out.MASQUERADE)

    def _open(self, slot: Slot) -> None:
        """Start the process that is the way out, unless it runs; it is outside itself."""
        outside = Processes(self.state)
        outside.start(way_out.command(slot, self.network))
        outside.await_ready(way_out.NAME, self._has_default_route, 60)

    def _has_default_route(self) -> bool:
        listing = run(["ip", "-netns", self.name, "route", "show", "default"], what="reading the cluster's routes")
        return way_out.INTERFACE in listing.stdout

    def _hold(self) -> None:
        """Start the process that keeps the mount namespace, then hide behind mounts what must not be shared."""
        if self.state.running(HOLDER):
            return
        outside = Processes(self.state)
        enter = ["nsenter", f"--net={self.network}", "unshare", "--mount", "--propagation", "slave"]
        script = mount_script(self.state.folder / "private")
        for path in PRIVATE:
            made(self.state.path("private", path.lstrip("/")))
            made(Path(path))
        shell = ["sh", "-ec", script, "sh", str(programs.binary("pause")), str(self.ready)]
        self.ready.unlink(missing_ok=True)
        outside.start(Command(HOLDER, [*enter, *shell]))
        outside.await_ready(HOLDER, self.ready.exists, 60)

    @property
    def ready(self) -> Path:
        """The file that says the mounts are made."""
        return self.state.path("namespaces.ready")

    def wrap(self, command: list[str]) -> list[str]:
        """The command, inside."""
        holder = self.state.processes().get(HOLDER)
        if holder is None:
            raise ClusterError(f"cluster {self.state.name} has no namespaces", "take it down and bring it up again")
        return ["nsenter", f"--net={self.network}", f"--mount=/proc/{holder.pid}/ns/mnt", "--", *command]

    def down(self, slot: Slot | None) -> None:
        """Remove the network and the folders that only served as mount points."""
        if self.network.exists():
            run(["ip", "netns", "delete", self.name], what=f"removing the network of {self.state.name}")
        if slot and Path(f"/sys/class/net/{slot.interface}").exists():
            run(["ip", "link", "delete", slot.interface], what=f"removing {slot.interface}", check=False)
        remove_network_folder(self.network.parent)
        for path in PRIVATE:
            remove_if_empty(Path(path))


def mount_script(private: Path) -> str:
    """The shell lines run inside before the holder: an own /run, own copies of the fixed folders."""
    binds = [f"mount --bind '{private}{path}' {path}" for path in PRIVATE]
    lines = ["mount --make-rshared /", "mount -t tmpfs -o mode=755 tmpfs /run", *binds, 'touch "$2"', 'exec "$1"']
    return "\n".join(lines)


def marker() -> Path:
    """The file that says that /run/netns was made for a cluster of ours."""
    return clusters() / ".made-run-netns"


def remove_network_folder(folder: Path) -> None:
    """Remove the folder of named networks, which `ip netns add` mounts on itself, if it is ours and nobody uses it."""
    if marker().exists() and folder.is_dir() and not any(folder.iterdir()):
        run(["umount", folder], what=f"unmounting {folder}", check=False)
        remove_if_empty(folder)
        marker().unlink()


def remove_if_empty(path: Path) -> None:
    """Remove a folder that holds nothing: one that somebody uses, or another cluster mounts on, stays."""
    try:
        path.rmdir()
    except OSError:
        return

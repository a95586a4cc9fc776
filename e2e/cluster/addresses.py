"""Which addresses a cluster gets: some of its own that nothing on this machine uses, remembered in its folder."""

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError
from e2e.cluster.state import State, clusters, read_json, write_atomically

# Private addresses first; where a machine's own network is 172.31.0.0/16, the range kept for benchmarks.
RANGES = ("172.31", "198.18")
SLOTS = [f"{prefix}.{number}" for prefix in RANGES for number in range(1, 255)]


@dataclass(frozen=True)
class Slot:
    """A cluster's place on this machine."""

    number: int

    @property
    def network(self) -> ipaddress.IPv4Network:
        """Every address of the slot."""
        return ipaddress.IPv4Network(f"{SLOTS[self.number]}.0/24")

    @property
    def outside(self) -> ipaddress.IPv4Network:
        """The addresses of the way out, seen by nobody but the cluster."""
        return ipaddress.IPv4Network(f"{SLOTS[self.number]}.128/25")

    @property
    def resolver(self) -> str:
        """Where the way out answers for names; the third address is slirp4netns' own choice."""
        return str(self.outside.network_address + 3)

    @property
    def host(self) -> str:
        """This machine's end."""
        return f"{SLOTS[self.number]}.1"

    @property
    def node(self) -> str:
        """The cluster's end: the API, the node and its DNS answer here."""
        return f"{SLOTS[self.number]}.2"

    @property
    def interface(self) -> str:
        """This machine's interface; a name has at most 15 characters."""
        return f"coderag{self.number}"


def choose(taken: Iterable[int], networks: Iterable[ipaddress.IPv4Network]) -> Slot:
    """The first slot that no cluster has and whose addresses lie in none of the machine's networks."""
    used, busy = set(taken), list(networks)
    for number in range(len(SLOTS)):
        slot = Slot(number)
        if number not in used and not any(slot.network.overlaps(network) for network in busy):
            return slot
    raise ClusterError("every address range for clusters is in use", "take down clusters that are no longer needed")


def machine_networks(routes: str) -> list[ipaddress.IPv4Network]:
    """The networks this machine has a route to, the default route aside, from `ip -json route`."""
    found = [entry.get("dst", "default") for entry in json.loads(routes or "[]")]
    return [ipaddress.IPv4Network(each, strict=False) for each in found if each != "default"]


def remembered(state: State) -> Slot | None:
    """The slot of this cluster, if it has one."""
    record = read_json(state.folder / "slot.json")
    return Slot(record["number"]) if record else None


def take(state: State) -> Slot:
    """The cluster's slot; a free one is chosen and remembered at first. The caller holds the lock of all slots."""
    if slot := remembered(state):
        return slot
    routes = run(["ip", "-json", "-4", "route"], what="reading this machine's routes").stdout
    slot = choose(all_taken(), machine_networks(routes))
    write_atomically(state.path("slot.json"), json.dumps({"number": slot.number}))
    return slot


def all_taken() -> list[int]:
    """The slots of every cluster in the cache."""
    records = (read_json(Path(path)) for path in clusters().glob("*/slot.json"))
    return [record["number"] for record in records if record]

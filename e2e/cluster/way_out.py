"""The way out: what pods ask of the world outside, asked by a process of this machine in their stead.

slirp4netns takes the packets that leave the cluster and opens ordinary sockets for them. So the machine itself forwards
no packet and its packet filter stays as it is: there is nothing to put back, and nobody outside can reach in. Names are
asked of the resolver that the machine itself uses, wherever that listens.
"""

from pathlib import Path

from e2e.cluster.addresses import Slot
from e2e.cluster.api_server import POD_RANGE
from e2e.cluster.processes import Command

NAME = "slirp4netns"
INTERFACE = "out0"
TUN = Path("/dev/net/tun")
RESOLVERS = Path("/etc/resolv.conf")
# Pods' own addresses mean nothing outside; what leaves carries the node's.
MASQUERADE = f"""table ip coderag_way_out {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {POD_RANGE} oifname {{ "eth0", "{INTERFACE}" }} masquerade
  }}
}}
"""


def possible() -> bool:
    """Can this machine make the interface that the way out needs?"""
    return TUN.exists()


def resolver(slot: Slot) -> str:
    """Where to ask for names of the outside; nowhere when this machine knows no resolver either."""
    known = RESOLVERS.read_text().splitlines() if RESOLVERS.exists() else []
    named = any(line.split()[:1] == ["nameserver"] for line in known)
    return slot.resolver if named and possible() else ""


def command(slot: Slot, network: Path) -> Command:
    """The process; it makes the interface, its address and the default route. This machine's loopback stays closed."""
    # Not --enable-sandbox: where mounts are shared, its clean-up unmounts every named network of this machine.
    options = ["--configure", "--mtu=65520", "--disable-host-loopback", f"--cidr={slot.outside}", "--netns-type=path"]
    return Command(NAME, [NAME, *options, network, INTERFACE])

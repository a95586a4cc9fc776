"""A host name that leads to this machine and is not localhost.

The Qdrant client treats `localhost` apart: a pause of about 40 ms that every other host name shows on kept connections
(compressed answers in two packets, and the acknowledgement of the first is held back) does not appear there. A load
that goes to localhost therefore measures a service that nobody runs.
"""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import psutil

NAME = "services.coderag-load"
_INSIDE = "CODERAG_LOAD_HOST"
_SCRIPT = 'mount --bind "$0" /etc/hosts && rm "$0" && exec "$@"'


class NoAddress(Exception):  # noqa: N818 - reads as the state it names
    """This machine has no address but the loopback one."""


def own_address() -> str:
    """Return an IPv4 address of this machine that is not a loopback one; raises NoAddress."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    for name, addresses in sorted(psutil.net_if_addrs().items()):
        for found in (one.address for one in addresses if one.family == socket.AF_INET and name in up):
            if not ip_address(found).is_loopback:
                return found
    raise NoAddress("every address of this machine is a loopback address: bring an interface up, for example a veth")


def hosts_with_name(hosts: str, address: str) -> str:
    """Return a hosts file with our name in it."""
    return f"{hosts.rstrip()}\n{address} {NAME}\n"


def enter(program: Sequence[str]) -> str:  # noqa: RET503 - execvp does not return
    """Return the host name to use. The first call starts the program again where a hosts file of its own names it.

    In a mount namespace, so that the machine's own file stays as it is. Where that is not allowed the address itself is
    used, which is no localhost either.
    """
    if given := os.environ.get(_INSIDE):
        return given
    address = own_address()
    if shutil.which("unshare") is None or os.geteuid() != 0:
        return address
    with tempfile.NamedTemporaryFile("w", prefix="coderag-hosts-", delete=False) as file:
        file.write(hosts_with_name(Path("/etc/hosts").read_text(), address))
    Path(file.name).chmod(0o644)
    os.environ[_INSIDE] = NAME
    command = ["unshare", "--mount", "sh", "-c", _SCRIPT, file.name, sys.executable, *program]
    os.execvp(command[0], command)

"""Debian packages that a provider needs: what is missing is installed by apt-get, with a word about it."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError
from e2e.cluster.progress import ticking

# What has to be on the machine -> the package that brings it.
FOR_IMAGES = {"buildah": "buildah", "debootstrap": "debootstrap"}
FOR_NODE = {
    "containerd": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "nft": "nftables",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "openssl": "openssl",
    "slirp4netns": "slirp4netns",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
}
SYSTEM_PATH = os.pathsep.join(["/usr/sbin", "/sbin", "/usr/local/sbin"])


def present(what: str) -> bool:
    """Is a program on PATH (or where the system keeps its own), or a file there?"""
    if what.startswith("/"):
        return Path(what).exists()
    return shutil.which(what, path=f"{os.environ.get('PATH', '')}{os.pathsep}{SYSTEM_PATH}") is not None


def missing(needed: Mapping[str, str]) -> list[str]:
    """The packages to install."""
    return sorted({package for what, package in needed.items() if not present(what)})


def need(needed: Mapping[str, str]) -> None:
    """Install what is missing, or say which packages to install by hand."""
    packages = missing(needed)
    if not packages:
        return
    by_hand = f"install by hand: {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise ClusterError(f"missing on this machine: {', '.join(packages)}", by_hand)
    need_root(f"installing {', '.join(packages)}")
    with ticking(f"installing {' '.join(packages)} with apt-get"):
        environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        run(["apt-get", "update"], what="refreshing the package lists", timeout=300, env=environment)
        command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
        run(command, what=f"installing packages ({by_hand})", timeout=900, env=environment)


def need_root(what: str) -> None:
    """The node is made of namespaces, mounts and control groups: those are root's."""
    if os.geteuid() != 0:
        raise ClusterError(f"{what} needs root", "run it as root, or start Docker and install kind, which is used then")

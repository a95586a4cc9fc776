"""The control groups of one cluster: its pods live under a root of their own, so that two kubelets do not share one."""

import os
import signal
import time
from pathlib import Path

from e2e.cluster.errors import ClusterError

PATIENCE = 20.0


def mounted(text: str) -> list[Path]:
    """Every hierarchy's mount point, from /proc/mounts: one for version 2, one a controller for version 1."""
    rows = (line.split() for line in text.splitlines())
    return [Path(row[1]) for row in rows if len(row) > 2 and row[2] in ("cgroup", "cgroup2")]


def roots(name: str) -> list[Path]:
    """The cluster's group in each hierarchy."""
    return [mount / f"coderag-{name}" for mount in mounted(Path("/proc/mounts").read_text())]


def create(name: str) -> None:
    """Make the groups; kubelet insists that its root exists."""
    for root in roots(name):
        controllers = root.parent / "cgroup.controllers"
        if controllers.exists():
            enable(root.parent / "cgroup.subtree_control", controllers.read_text().split())
        root.mkdir(exist_ok=True)


def enable(subtree: Path, controllers: list[str]) -> None:
    """Hand every controller down to the children; one that cannot be is left out, kubelet says if it needs it."""
    for controller in controllers:
        try:
            subtree.write_text(f"+{controller}")
        except OSError:
            continue


def members(root: Path) -> set[int]:
    """Every process in a group and below."""
    found: set[int] = set()
    for folder, _, _ in os.walk(root):  # unlike rglob it passes over groups that go away meanwhile
        try:
            found.update(int(line) for line in Path(folder, "cgroup.procs").read_text().split())
        except OSError:
            continue
    return found


def kill(name: str) -> None:
    """End every container process of the cluster: by force, its pods are going away with it."""
    deadline = time.monotonic() + PATIENCE
    while pids := set().union(*(members(root) for root in roots(name))):
        if time.monotonic() > deadline:
            raise ClusterError(
                f"containers of cluster {name} do not end: {sorted(pids)}", "look at them, then run down again"
            )
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def remove(name: str) -> None:
    """Remove the groups, the innermost first."""
    for root in roots(name):
        for folder, _, _ in os.walk(root, topdown=False):
            Path(folder).rmdir()

"""containerd's folder, kept from one cluster to the next: images that did not change are not unpacked again.

A cluster takes the kept folder by renaming it and gives it back when it goes down, without its containers. Only one
cluster can have it; another starts with an empty one. What was not closed properly is not kept.
"""

import shutil
from collections.abc import Iterable, Set
from pathlib import Path

from e2e.cluster.commands import run
from e2e.cluster.locks import locked
from e2e.cluster.paths import cache, made

# What containerd remembers of containers; images are in its other folders.
CONTAINERS = ("io.containerd.grpc.v1.cri", "io.containerd.runtime.v1.linux", "io.containerd.runtime.v2.task")


def kept() -> Path:
    """Where the folder waits for the next cluster."""
    return made(cache() / "images") / "containerd"


def lock() -> Path:
    """The file that lets one cluster at a time take or give."""
    return cache() / "images" / "containerd.lock"


def take(root: Path) -> None:
    """Start a cluster with what the last one left, if nobody else has it."""
    with locked(lock(), "the kept images"):
        if kept().is_dir() and not root.exists():
            kept().rename(root)


def give(root: Path) -> None:
    """Keep a folder that `empty` has cleared and whose containerd has ended."""
    for name in CONTAINERS:
        shutil.rmtree(root / name, ignore_errors=True)
    with locked(lock(), "the kept images"):
        shutil.rmtree(kept(), ignore_errors=True)
        root.rename(kept())


def empty(ctr: list[str], identities: Set[str]) -> bool:
    """Remove every container, its processes gone already, and what else nobody needs; True when none is left."""
    for kind in ("tasks", "containers"):
        if names := listed(ctr, kind):
            force = ["--force"] if kind == "tasks" else []
            run([*ctr, kind, "delete", *force, *names], what=f"removing {kind}", timeout=60, check=False)
    if old := outdated(listed(ctr, "images"), identities):
        run([*ctr, "images", "delete", "--sync", *old], what="removing replaced images", timeout=120, check=False)
    return not listed(ctr, "containers")


def outdated(names: Iterable[str], identities: Set[str]) -> list[str]:
    """The images that were loaded anew since: the name that kubelet gave them, their identity, still keeps them."""
    return [name for name in names if name.startswith("sha256:") and name.removeprefix("sha256:") not in identities]


def listed(ctr: list[str], kind: str) -> list[str]:
    """The names of tasks, containers or images."""
    return run([*ctr, kind, "list", "--quiet"], what=f"listing {kind}", timeout=30).stdout.split()


def clean() -> None:
    """Forget the kept images."""
    shutil.rmtree(kept(), ignore_errors=True)

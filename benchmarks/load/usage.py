"""What processes use: processor time and memory of whole process trees, read from /proc."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Usage:
    """Seconds of processor time so far, and resident memory in MiB. Pages shared by a tree's processes count twice."""

    cpu: float
    rss: float


def usage(pid: int) -> Usage:
    """Return what a process and all below it have used; time of children that ended is kept by their parents."""
    parent = psutil.Process(pid)
    cpu = rss = 0.0
    for process in (parent, *parent.children(recursive=True)):
        try:
            times, memory = process.cpu_times(), process.memory_info()
        except psutil.NoSuchProcess:
            continue
        cpu += times.user + times.system + times.children_user + times.children_system
        rss += memory.rss / _MIB
    return Usage(cpu, rss)


def usages(pids: Mapping[str, int]) -> dict[str, Usage]:
    """Return the usage of each service by its name."""
    return {name: usage(pid) for name, pid in pids.items()}


def spent(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    """Return the seconds of processor time that each service used in between."""
    return {name: after[name].cpu - before[name].cpu for name in before}

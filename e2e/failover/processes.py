"""The processes of a pod as the machine sees them, to send them signals that a pod cannot send to itself.

Works where the node's processes are this machine's: on the node provider, and on kind with a local engine.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from e2e.kubectl import CommandError

PROC = Path("/proc")
PAUSE = "pause"


def find(uid: str, proc: Path = PROC) -> list[int]:
    """Return the processes of a pod's containers, without the one that only holds its network."""
    return sorted(pid for pid in belonging(uid, proc) if name_of(pid, proc) != PAUSE)


def belonging(uid: str, proc: Path) -> Iterator[int]:
    """Yield every process in the control group of a pod."""
    names = (f"pod{uid}", f"pod{uid.replace('-', '_')}")  # as kubelet writes it, and as systemd does
    for folder in proc.glob("[0-9]*"):
        try:
            groups = (folder / "cgroup").read_text()
        except OSError:
            continue  # it has just ended
        if any(name in groups for name in names):
            yield int(folder.name)


def name_of(pid: int, proc: Path) -> str:
    """Return the name of a process, nothing when it has ended."""
    try:
        return (proc / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def send(uid: str, number: signal.Signals) -> list[int]:
    """Send a signal to every process of a pod; raises CommandError when none is to be seen from here."""
    found = find(uid)
    if not found:
        raise CommandError(f"no process of pod {uid} runs on this machine")
    for pid in found:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    return found

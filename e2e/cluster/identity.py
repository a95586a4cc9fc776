"""Who a process is. A pid alone is reused by the kernel; pid, start time and boot name one process for ever."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Identity:
    """One process of one boot of this machine."""

    pid: int
    start: int
    boot: str


def parse_stat(text: str) -> tuple[str, int]:
    """State letter and start time from /proc/PID/stat; the program's name in it may hold spaces and brackets."""
    fields = text[text.rindex(")") + 1 :].split()
    return fields[0], int(fields[19])


def boot() -> str:
    """The id of this boot."""
    return BOOT_ID.read_text().strip()


def identify(pid: int) -> Identity | None:
    """The identity of a running process; None when there is none or only its zombie is left."""
    try:
        state, start = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in "ZX" else Identity(pid, start, boot())


def alive(identity: Identity) -> bool:
    """Is exactly this process still running?"""
    reap(identity.pid)
    return identify(identity.pid) == identity


def reap(pid: int) -> None:
    """Collect the process if it is our own child that ended; others are collected by their parent."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal exactly this process, never another one that got its pid."""
    if not alive(identity):
        return
    try:
        os.kill(identity.pid, number)
    except ProcessLookupError:
        return


def stop(identities: Iterable[Identity], patience: float = 10.0) -> None:
    """End the processes: politely, then by force when they have not gone in time."""
    remaining = list(identities)
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        for identity in remaining:
            send(identity, number)
        remaining = still_alive(remaining, seconds)
        if not remaining:
            return


def still_alive(identities: Iterable[Identity], seconds: float) -> list[Identity]:
    """Wait until all have ended or the time is up; those that have not."""
    deadline, remaining = time.monotonic() + seconds, list(identities)
    while remaining := [identity for identity in remaining if alive(identity)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return remaining


def tagged(variable: str, value: str) -> list[Identity]:
    """Every process whose environment carries variable=value: what a start that was interrupted left unrecorded."""
    wanted = f"{variable}={value}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile, or is a kernel thread
            continue
        if wanted in environment and (identity := identify(int(folder.name))):
            found.append(identity)
    return found

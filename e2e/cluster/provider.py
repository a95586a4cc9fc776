"""What every provider of a cluster offers, and which one fits this machine."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

PROVIDERS = ("auto", "node", "kind")
PROVIDER_HELP = "auto: kind where it is installed and a container engine answers, else node"


@dataclass(frozen=True)
class Status:
    """What is known about one cluster now."""

    name: str
    provider: str
    kubeconfig: str
    audit_log: str
    address: str
    programs: str
    ready: bool
    processes: dict[str, bool] = field(default_factory=dict)
    problem: str = ""

    def to_json(self) -> str:
        """The status as other programs read it."""
        return json.dumps(
            {
                "name": self.name,
                "provider": self.provider,
                "kubeconfig": self.kubeconfig,
                "auditLog": self.audit_log,
                "address": self.address,
                "programs": self.programs,
                "processes": self.processes,
                "problem": self.problem,
                "ready": self.ready,
            },
            indent=1,
        )


class Provider(Protocol):
    """A cluster by name; every call may be repeated."""

    def up(self) -> Status:
        """Bring it up, or repair it; returns when its node is Ready."""
        ...

    def down(self) -> None:
        """Remove everything that up made, and nothing else."""
        ...

    def status(self) -> Status:
        """What is there now; changes nothing."""
        ...

    def load_images(self, references: Sequence[str]) -> None:
        """Make images known to the node: references in local storage, or paths of archives."""
        ...

    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        ...


def engine() -> str | None:
    """docker or podman when its engine really answers; a client without a daemon does not count."""
    for name in ("docker", "podman"):
        if shutil.which(name) and engine_answers(name):
            return name
    return None


def engine_answers(name: str) -> bool:
    """Does the engine behind this client answer in time?"""
    try:
        done = subprocess.run([name, "info"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def choose() -> str:
    """kind where an engine answers and kind is installed, else the node made from Kubernetes' own programs."""
    return "kind" if shutil.which("kind") and engine() else "node"

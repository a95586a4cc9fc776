"""What the harness remembers about one cluster: a folder with its settings and the processes that it started."""

import json
import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2e.cluster.errors import ClusterError
from e2e.cluster.identity import Identity, alive
from e2e.cluster.paths import cache, made

NAME = re.compile(r"[a-z]([-a-z0-9]{0,22}[a-z0-9])?")
SOCKET_LIMIT = 107  # bytes of a unix socket's path, a limit of the kernel


def clusters() -> Path:
    """The folder of all clusters."""
    return cache() / "clusters"


class State:
    """The folder of one cluster. Its settings appear last, so a folder without them is an interrupted start."""

    def __init__(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise ClusterError(
                f"{name!r} cannot be a cluster's name",
                "use at most 24 lower-case letters, digits and dashes, letter first",
            )
        self.name = name
        self.folder = clusters() / name
        if len(str(self.folder / "run/containerd.sock.ttrpc")) > SOCKET_LIMIT:
            raise ClusterError(
                f"the path {self.folder} is too long for sockets in it", "set CODERAG_CACHE to a shorter one"
            )

    @property
    def lock(self) -> Path:
        """The file that serialises commands on this cluster."""
        return clusters() / f".{self.name}.lock"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON event a line."""
        return self.folder / "logs" / "audit.log"

    def path(self, *parts: str) -> Path:
        """A path in the folder, its parent created."""
        path = self.folder.joinpath(*parts)
        made(path.parent, 0o700)
        return path

    def create(self) -> None:
        """Make the folder, for its owner only: keys are in it."""
        made(self.folder, 0o700)
        self.folder.chmod(0o700)

    def exists(self) -> bool:
        """Is anything remembered of this cluster?"""
        return self.folder.is_dir()

    def remove(self) -> None:
        """Forget the cluster."""
        if self.exists():
            shutil.rmtree(self.folder)

    def save(self, settings: dict[str, Any]) -> None:
        """Write the settings; from now on the start counts as complete."""
        write_atomically(self.path("settings.json"), json.dumps(settings, indent=1))

    def settings(self) -> dict[str, Any] | None:
        """The settings, or None when a start never completed."""
        return read_json(self.folder / "settings.json")

    def remember(self, process: str, identity: Identity) -> None:
        """Record a started process."""
        write_atomically(self.path("processes", f"{process}.json"), json.dumps(asdict(identity)))

    def forget(self, process: str) -> None:
        """Drop the record of a process."""
        self.path("processes", f"{process}.json").unlink(missing_ok=True)

    def processes(self) -> dict[str, Identity]:
        """Every recorded process by its name."""
        found = {}
        for path in sorted((self.folder / "processes").glob("*.json")):
            if record := read_json(path):
                found[path.stem] = Identity(**record)
        return found

    def running(self, process: str) -> bool:
        """Is this process recorded and alive?"""
        identity = self.processes().get(process)
        return identity is not None and alive(identity)


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old or the new text, never half of it, and nobody else can read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as handle:
        handle.write(text)
    temporary.rename(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None when there is no such file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None

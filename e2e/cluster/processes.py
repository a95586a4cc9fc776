"""Starting and stopping the named processes of one cluster, each with its log, its record and the cluster's tag."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster.errors import ClusterError
from e2e.cluster.identity import identify, stop, tagged
from e2e.cluster.state import State
from e2e.cluster.waiting import wait_until

TAG = "CODERAG_CLUSTER"


@dataclass(frozen=True)
class Command:
    """How one named process is started."""

    name: str
    arguments: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)


class Processes:
    """The processes of one cluster. `wrap` puts a command into the cluster's own namespaces."""

    def __init__(self, state: State, wrap: Callable[[list[str]], list[str]] = list) -> None:
        self.state = state
        self.wrap = wrap

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.state.path("logs", f"{name}.log")

    def start(self, command: Command) -> None:
        """Start the process, unless it runs already."""
        if self.state.running(command.name):
            return
        environment = dict(os.environ, **command.environment, **{TAG: str(self.state.folder)})
        arguments = self.wrap([str(part) for part in command.arguments])
        with self.log(command.name).open("ab") as log:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                start_new_session=True,
            )
        if identity := identify(process.pid):
            self.state.remember(command.name, identity)
        process.returncode = 0  # it outlives this command on purpose; without this, Python warns about a running child

    def stop(self, name: str, patience: float = 10.0) -> None:
        """End one process and forget it."""
        if identity := self.state.processes().get(name):
            stop([identity], patience)
        self.state.forget(name)

    def stop_all(self, order: Sequence[str] = (), patience: float = 10.0) -> None:
        """End every process of this cluster: those in `order` first, one by one, then whatever carries its tag."""
        for name in order:
            self.stop(name, patience)
        stop([*self.state.processes().values(), *tagged(TAG, str(self.state.folder))], patience)
        for name in self.state.processes():
            self.state.forget(name)

    def await_ready(self, name: str, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until a condition holds; fail at once, with the end of its log, when the process has died."""

        def check() -> bool:
            if not self.state.running(name):
                raise ClusterError(f"{name} of cluster {self.state.name} stopped", self.tail(name))
            return ready()

        if not wait_until(check, seconds):
            raise ClusterError(
                f"{name} of cluster {self.state.name} was not ready after {seconds:.0f} s", self.tail(name)
            )

    def tail(self, name: str, count: int = 8) -> str:
        """The last lines of a process' log."""
        path = self.log(name)
        lines = path.read_text(errors="replace").splitlines()[-count:] if path.exists() else []
        return "\n  ".join([f"log: {path}", *(line[:300] for line in lines)])

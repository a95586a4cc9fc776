"""Start a Qdrant for a test: `with start(folder) as url: ...`. The stand-in, or the server that QDRANT_PROGRAM is."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[3]
READY_SECONDS = 60.0
PROGRAM = "QDRANT_PROGRAM"  # the path of a real server, to be started wherever the stand-in would be


@dataclass
class Standin:
    """A running server."""

    url: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
        self._release()

    def stop(self) -> int:
        """End it as Kubernetes would; return its exit status."""
        self.process.terminate()
        status = self.process.wait(timeout=READY_SECONDS)
        self._release()
        return status

    def _release(self) -> None:
        if self.process.stdout:
            self.process.stdout.close()


def program() -> str | None:
    """Return the path of the real server that is to run in the stand-in's place, if there is one."""
    return os.environ.get(PROGRAM)


def command(data_dir: Path, host: str, port: int) -> tuple[list[str], dict[str, str]]:
    """Return what starts a server on a folder, and the settings that it reads besides its keys."""
    if not (real := program()):
        arguments = ["--host", host, "--port", str(port), "--data", str(data_dir)]
        return [sys.executable, "-m", "e2e.standins.qdrant", *arguments], {}
    return [real], {
        "QDRANT__SERVICE__HOST": host,
        "QDRANT__SERVICE__HTTP_PORT": str(port),
        "QDRANT__SERVICE__GRPC_PORT": str(free_port(host)),
        "QDRANT__STORAGE__STORAGE_PATH": str(data_dir),
        "QDRANT__STORAGE__SNAPSHOTS_PATH": str(data_dir / "snapshots"),
        "QDRANT__TELEMETRY_DISABLED": "true",
        "QDRANT_INIT_FILE_PATH": str(data_dir / ".qdrant-initialized"),
    }


def free_port(host: str) -> int:
    """Return a port that is free now, for a server that cannot choose one and say which."""
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


def launch(data_dir: Path, api_key: str | None = None, read_only_key: str | None = None, port: int = 0) -> Standin:
    """Start a server on 127.0.0.1 and wait until it answers."""
    keys = {"QDRANT__SERVICE__API_KEY": api_key, "QDRANT__SERVICE__READ_ONLY_API_KEY": read_only_key}
    port = port or (free_port("127.0.0.1") if program() else 0)
    words, settings = command(data_dir, "127.0.0.1", port)
    inherited = {name: value for name, value in os.environ.items() if name not in keys} | settings
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        env=inherited | {name: value for name, value in keys.items() if value},
        stdout=None if port else subprocess.PIPE,
        text=True,
    )
    standin = Standin(f"http://127.0.0.1:{port or chosen_port(process)}", process)
    wait_ready(standin)
    return standin


def chosen_port(process: subprocess.Popen[str]) -> int:
    """Read the port that the stand-in chose from its first line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the Qdrant stand-in ended with status {process.wait()}, its message is on stderr")
    return int(line.rsplit(maxsplit=1)[-1])


def wait_ready(standin: Standin) -> None:
    """Wait until the server answers, or say that it does not."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and standin.process.poll() is None:
        try:
            if httpx.get(f"{standin.url}/readyz", timeout=READY_SECONDS).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    standin.kill()
    raise RuntimeError("Qdrant did not become ready; its message is on stderr")


@contextmanager
def start(data_dir: Path, api_key: str | None = None, read_only_key: str | None = None) -> Iterator[str]:
    """Run a server for the length of a block and give its URL."""
    standin = launch(data_dir, api_key, read_only_key)
    try:
        yield standin.url
    finally:
        standin.stop()

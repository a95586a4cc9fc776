"""Start the stand-in from a test: `with start(folder) as url: ...`."""

import os
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


def launch(data_dir: Path, api_key: str | None = None, read_only_key: str | None = None, port: int = 0) -> Standin:
    """Start a server on 127.0.0.1 and wait until it answers."""
    keys = {"QDRANT__SERVICE__API_KEY": api_key, "QDRANT__SERVICE__READ_ONLY_API_KEY": read_only_key}
    inherited = {name: value for name, value in os.environ.items() if name not in keys}
    command = [sys.executable, "-m", "e2e.standins.qdrant", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--data", str(data_dir)],
        cwd=ROOT,
        env=inherited | {name: value for name, value in keys.items() if value},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the Qdrant stand-in ended with status {process.wait()}, its message is on stderr")
    standin = Standin(f"http://127.0.0.1:{line.rsplit(maxsplit=1)[-1]}", process)
    wait_ready(standin)
    return standin


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
    raise RuntimeError("the Qdrant stand-in did not become ready")


@contextmanager
def start(data_dir: Path, api_key: str | None = None, read_only_key: str | None = None) -> Iterator[str]:
    """Run a server for the length of a block and give its URL."""
    standin = launch(data_dir, api_key, read_only_key)
    try:
        yield standin.url
    finally:
        standin.stop()

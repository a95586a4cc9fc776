"""Bringing images from local storage, or from archives, into the node's containerd."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from e2e.cluster import image_layout
from e2e.cluster.base_image import image_id
from e2e.cluster.commands import last_lines, run
from e2e.cluster.errors import ClusterError
from e2e.cluster.locks import locked
from e2e.cluster.node_config import Node
from e2e.cluster.paths import made
from e2e.cluster.progress import ticking
from e2e.cluster.state import read_json, write_atomically

AT_ONCE = 2


class NodeImages:
    """The images that one node has."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ctr = ["ctr", "--address", str(node.socket), "--connect-timeout", "5s", "--namespace", "k8s.io"]

    def load(self, references: Sequence[str]) -> None:
        """Make local images, or those of archives, known to the node; one that it has is not copied again."""
        scratch = tempfile.TemporaryDirectory(dir=self.node.folder, prefix=".images-")
        lock = locked(self.node.folder / "images.lock", "loading images")
        with lock, scratch as folder, ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda reference: self._load(reference, Path(folder)), references))

    def _load(self, reference: str, scratch: Path) -> None:
        if Path(reference).is_file():
            run([*self.ctr, "images", "import", reference], what=f"loading {reference}", timeout=image_layout.LIMIT)
            return
        identity = image_id(reference)
        if not identity:
            raise ClusterError(f"there is no image {reference} here", "build it: python3 -m e2e.cluster build-images")
        if self._known(reference) != identity:
            with ticking(f"loading {reference} into the node"):
                self._copy(reference, scratch)
            write_atomically(self._record(reference), json.dumps({"identity": identity}))

    def _copy(self, reference: str, scratch: Path) -> None:
        layout = Path(tempfile.mkdtemp(dir=scratch))
        image_layout.write(reference, layout)
        present = set(run([*self.ctr, "content", "list", "--quiet"], what="listing the node's layers").stdout.split())
        command = [*self.ctr, "images", "import", "--snapshotter", "overlayfs", "-"]
        with tempfile.TemporaryFile("w+") as log:
            code = self._stream(command, log, lambda stream: image_layout.send(layout, reference, present, stream))
            log.seek(0)
            if code != 0:
                said = subprocess.CompletedProcess(command, code, log.read(), "")
                raise ClusterError(f"loading {reference} into the node failed", last_lines(said))

    @staticmethod
    def _stream(command: list[str], log: IO[str], send: Callable[[IO[bytes]], None]) -> int:
        """Run a command that reads what `send` writes; its exit code."""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as stream:  # it ended early: its log says why
            send(stream)
        return process.wait(image_layout.LIMIT)

    @property
    def _records(self) -> Path:
        """What is remembered of images lies in containerd's own folder: it is kept and lost together with it."""
        return made(self.node.containerd_root / "coderag-images")

    def _record(self, reference: str) -> Path:
        return self._records / f"{reference.replace('/', '_')}.json"

    def identities(self) -> set[str]:
        """The images that were loaded and not replaced since."""
        return {record["identity"] for path in self._records.glob("*.json") if (record := read_json(path))}

    def _known(self, reference: str) -> str:
        """The identity under which an image was loaded, if the node still has it."""
        record = read_json(self._record(reference))
        return record["identity"] if record and self._has(reference) else ""

    def _has(self, reference: str) -> bool:
        done = run([*self.ctr, "images", "list", "--quiet", f"name=={reference}"], what="listing the node's images")
        return done.stdout.strip() == reference


def answers(node: Node) -> bool:
    """Does containerd answer? Asked with a limit: a socket can accept and then say nothing."""
    command = ["ctr", "--address", str(node.socket), "--connect-timeout", "2s", "version"]
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False

"""Bringing images from local storage, or from archives, into the node's containerd."""

import json
import subprocess
import tempfile
from pathlib import Path

from e2e.cluster.base_image import image_id
from e2e.cluster.commands import run
from e2e.cluster.errors import ClusterError
from e2e.cluster.locks import locked
from e2e.cluster.node_config import Node
from e2e.cluster.progress import ticking
from e2e.cluster.state import read_json, write_atomically

LIMIT = 900


class NodeImages:
    """The images that one node has."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ctr = ["ctr", "--address", str(node.socket), "--connect-timeout", "5s", "--namespace", "k8s.io"]

    def load(self, reference: str) -> None:
        """Make a local image, or the images of an archive, known to the node; one that it has is not copied again."""
        if Path(reference).is_file():
            return self._import(Path(reference))
        identity = image_id(reference)
        if not identity:
            raise ClusterError(f"there is no image {reference} here", "build it: python3 -m e2e.cluster build-images")
        with locked(self._record.with_suffix(".lock"), "loading images"):
            if self._known().get(reference) != identity or not self._has(reference):
                self._copy(reference)
                write_atomically(self._record, json.dumps({**self._known(), reference: identity}))
        return None

    def _copy(self, reference: str) -> None:
        """Through an uncompressed archive: compressing costs more than it saves on one machine."""
        scratch = tempfile.TemporaryDirectory(dir=self.node.folder, prefix=".image-")
        with ticking(f"loading {reference} into the node"), scratch as folder:
            archive = Path(folder) / "image.tar"
            command = ["buildah", "push", "--quiet", reference, f"docker-archive:{archive}:{reference}"]
            run(command, what=f"writing {reference}", timeout=LIMIT)
            self._import(archive)

    def _import(self, archive: Path) -> None:
        run([*self.ctr, "images", "import", archive], what=f"loading {archive.name} into the node", timeout=LIMIT)

    @property
    def _record(self) -> Path:
        return self.node.layout.state.path("images.json")

    def _known(self) -> dict[str, str]:
        return read_json(self._record) or {}

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

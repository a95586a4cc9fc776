"""An image of local storage on its way into containerd: as single blobs, of which only the missing ones are sent.

Layers stay uncompressed, because compressing costs more than it saves on one machine; and what images share, the base
above all, is sent and unpacked once.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Set
from pathlib import Path
from typing import IO

from e2e.cluster.commands import run

LIMIT = 900
NAME = "io.containerd.image.name"


def write(reference: str, layout: Path) -> None:
    """Write an image of local storage as a folder: manifest.json, and each blob under its hash."""
    command = ["buildah", "push", "--quiet", "--disable-compression", reference, f"dir:{layout}"]
    run(command, what=f"writing {reference}", timeout=LIMIT)


def blob(layout: Path, digest: str) -> Path:
    """The file of a blob."""
    return layout / digest.partition(":")[2]


def entries(layout: Path, reference: str, present: Set[str]) -> Iterator[tuple[str, Path | bytes]]:
    """Name and content of what the archive holds: an index that names the image, and the blobs that are not there."""
    text = (layout / "manifest.json").read_bytes()
    manifest = json.loads(text)
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    named = {"mediaType": manifest["mediaType"], "digest": digest, "size": len(text), "annotations": {NAME: reference}}
    yield "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode()
    yield "index.json", json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    yield path(digest), text
    for each in dict.fromkeys(part["digest"] for part in (manifest["config"], *manifest["layers"])):
        if each not in present:
            yield path(each), blob(layout, each)


def path(digest: str) -> str:
    """Where a blob is in the archive."""
    return f"blobs/{digest.replace(':', '/')}"


def send(layout: Path, reference: str, present: Set[str], stream: IO[bytes]) -> None:
    """Write the archive to a stream, one pass, nothing of it on disk."""
    with tarfile.open(fileobj=stream, mode="w|", bufsize=1 << 20, copybufsize=1 << 20) as archive:
        for name, content in entries(layout, reference, present):
            if isinstance(content, bytes):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                archive.add(content, name, recursive=False)

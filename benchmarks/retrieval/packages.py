"""The wheels of the set: fetched once by pip, each held to its hash, and read without being installed or run."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.retrieval.definition import Definition, Package

_LARGEST = 1 << 20  # the index skips larger files too
_ANY = ("--platform", "any", "--python-version", "3.11", "--implementation", "py", "--abi", "none")


def ensure_wheels(packages: Sequence[Package], folder: Path) -> None:
    """Have every wheel in the folder; raises CalledProcessError when pip cannot get one with the right hash."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [package for package in packages if not (folder / package.file).is_file()]
    if not missing:
        return
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.writelines(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n" for package in missing)
        wanted.flush()
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command = [*pip, "--only-binary=:all:", *_ANY, "--dest", str(folder), "--requirement", wanted.name]
        subprocess.run(command, check=True)


def sources(wheel: Path, definition: Definition) -> Iterator[tuple[str, str]]:
    """Yield path and text of the admitted Python files of a wheel, in the order of their paths."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in sorted(archive.infolist(), key=lambda one: one.filename):
            if definition.admits(entry.filename) and entry.file_size <= _LARGEST:
                try:
                    yield entry.filename, archive.read(entry).decode("utf-8")
                except UnicodeDecodeError:
                    continue  # the few files in other encodings are not part of the set

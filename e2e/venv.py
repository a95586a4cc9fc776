"""Make a virtual environment hold exactly what a lock says; does nothing when it already does.

It lies in the cache, beside the built programs and under the digest of its lock, and every clone has a link to it: a
fresh clone installs nothing that another one installed before.

Runs with the system's Python before anything is installed, so it uses the standard library only.
"""

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from e2e.cluster.locks import locked
from e2e.cluster.paths import environments

READY = ".ready"


def make(folder: Path, lock: Path) -> None:
    """Make an environment in `folder`, checking the hash of each package."""
    print(f"Installing {lock} (a few minutes the first time)", flush=True)
    venv.EnvBuilder(with_pip=True).create(folder)
    # Compiled when first imported: most of what is installed never is.
    install = ["install", "--quiet", "--no-compile", "--require-hashes", "--no-deps", "-r", lock]
    subprocess.run([folder / "bin" / "python", "-m", "pip", *install], check=True)


def ensure(folder: Path, lock: Path, make: Callable[[Path, Path], None] = make) -> Path:
    """Make `folder` a link to the environment of `lock` and return its Python."""
    digest = hashlib.sha256(f"{sys.base_prefix} {sys.version}".encode() + lock.read_bytes()).hexdigest()[:16]
    kept = environments() / digest
    with locked(kept.with_suffix(".lock"), f"the environment of {lock}"):
        if not (kept / READY).exists():
            shutil.rmtree(kept, ignore_errors=True)  # half of one, from a run that was interrupted
            make(kept, lock)
        (kept / READY).touch()
    link(folder, kept)
    return folder / "bin" / "python"


def link(folder: Path, kept: Path) -> None:
    """Let `folder` lead to an environment, in the place of whatever is there."""
    if folder.is_symlink() and folder.resolve() == kept.resolve():
        return
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.symlink_to(kept, target_is_directory=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python3 -m e2e.venv FOLDER LOCK")
    ensure(Path(sys.argv[1]), Path(sys.argv[2]))

"""Make a virtual environment hold exactly what a lock says; does nothing when it already does.

Runs with the system's Python before anything is installed, so it uses the standard library only.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path


def ensure(folder: Path, lock: Path) -> Path:
    """Create `folder` from `lock` (hash-checked) and return its Python."""
    stamp = folder / ".ready"
    python = folder / "bin" / "python"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        stamp.touch()
        return python
    print(f"Installing {lock} into {folder} (a few minutes the first time)", flush=True)
    venv.EnvBuilder(with_pip=True, clear=True).create(folder)
    # Compiled when first imported: most of what is installed never is.
    install = ["install", "--quiet", "--no-compile", "--require-hashes", "--no-deps", "-r", lock]
    subprocess.run([python, "-m", "pip", *install], check=True)
    stamp.write_text(digest)
    return python


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python3 -m e2e.venv FOLDER LOCK")
    ensure(Path(sys.argv[1]), Path(sys.argv[2]))

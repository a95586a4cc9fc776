"""Where the harness keeps things: a cache folder outside the repository, so that a clean checkout rebuilds nothing."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parent.parent
PROGRAM_SOURCES = PACKAGE / "programs"


def cache() -> Path:
    """The cache folder: CODERAG_CACHE, else coderag under XDG_CACHE_HOME, else ~/.cache/coderag."""
    if explicit := os.environ.get("CODERAG_CACHE"):
        return Path(explicit).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(base).expanduser() / "coderag").resolve()


def environments() -> Path:
    """Where the virtual environments of the tests are kept, each under the digest of its lock."""
    return cache() / "environments"


def made(folder: Path, mode: int = 0o755) -> Path:
    """The folder, created when it is missing."""
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    return folder

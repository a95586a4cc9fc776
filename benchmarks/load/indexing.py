"""Something to index while searches run: a Git repository of real files that the index does not hold yet."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NAME = "fresh"
_MARK = "indexed under load"


def make_repository(sources: Iterable[tuple[Path, str]], folder: Path) -> str:
    """Commit these files, each made new by a last line of its own; return the repository's address."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, (place, path) in enumerate(sources):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(place.read_bytes() + f"\n# {_MARK} {number}\n".encode())
    identity = ["-c", "user.name=Load", "-c", "user.email=load@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A", "-f"], [*identity, "commit", "-qm", "Files"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return f"file://{folder}"


def rows(address: str, served: Iterable[str]) -> list[dict[str, Any]]:
    """Return the worker's configuration: the new repository, and those that the filled index holds.

    The latter lead nowhere: what is served and cannot be read stays served, and what is not named would be removed.
    """
    never = "0 0 1 1 *"
    kept = [{"name": name, "url": "file:///nowhere", "ref": "main", "schedule": never} for name in sorted(served)]
    return [{"name": NAME, "url": address, "ref": "main", "schedule": never}, *kept]

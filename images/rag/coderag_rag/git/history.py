"""The recent history of a remote: subjects and changed paths, fetched without file contents into a copy of its own."""

from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from coderag_rag.git.command import Git

_WANTED = "refs/coderag/history"
_FORMAT = "--format=%x01%P%x02%s%x02"


@dataclass(frozen=True)
class Change:
    """What one commit said and which paths it changed."""

    subject: str
    paths: tuple[str, ...]


async def read_history(git: Git, url: str, name: str, commit: str, directory: Path, depth: int) -> list[Change]:
    """Return the newest commits of a full ref name or commit, merges left out; raises GitError. Leaves no copy."""
    rmtree(directory, ignore_errors=True)
    where = ("--git-dir", str(directory))
    kind = "sha256" if len(commit) == 64 else "sha1"
    try:
        await git.run("init", "--quiet", "--bare", f"--object-format={kind}", str(directory))
        fetch = (*where, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none")
        await git.run(*fetch, f"--depth={depth}", "--", url, f"+{name}:{_WANTED}")
        log = ("log", "--no-merges", "--no-renames", "--name-only", "-z", f"--max-count={depth}", _FORMAT)
        _, output = await git.run(*where, *log, _WANTED)
    finally:
        rmtree(directory, ignore_errors=True)
    return parse_log(output)


def parse_log(output: bytes) -> list[Change]:
    """Return the changes that `git log` printed. A commit without a parent is the edge of what was fetched."""
    found = []
    for entry in output.decode("utf-8", "replace").split("\x01")[1:]:
        parents, subject, paths = entry.split("\x02", 2)
        if parents:
            found.append(Change(subject, tuple(path for path in paths.strip("\n\0").split("\0") if path)))
    return found

"""One remote repository: which commit a ref is at, its files, and their content.

Only wanted refs are fetched, one commit deep and without submodules. What changed is found by comparing file lists and
not commits, so force-pushes, rewritten history and a lost volume need no special care.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from coderag_rag.git.blobs import BlobReader
from coderag_rag.git.command import Git, end
from coderag_rag.git.errors import EmptyRepository, GitError, UnknownRef
from coderag_rag.git.history import Change, read_history

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class TreeFile:
    """A file of a commit. `mode` tells links and submodules from files."""

    path: str
    blob: str
    mode: str
    size: int


@dataclass(frozen=True)
class Target:
    """What a ref means at the remote: the full name to fetch and the commit."""

    name: str
    commit: str


class Repository:
    """A remote at a URL with its local bare copy."""

    def __init__(self, git: Git, url: str, directory: Path) -> None:
        self._git, self._url, self._directory = git, url, directory

    def elsewhere(self, directory: Path) -> "Repository":
        """Return the same remote with another local copy."""
        return Repository(self._git, self._url, directory)

    async def resolve(self, ref: str) -> Target:
        """Ask the remote which commit a branch, tag, full ref name, commit or HEAD is."""
        if _COMMIT.fullmatch(ref):
            return Target(ref, ref)
        names = [ref] if ref == "HEAD" or ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        listed = await self._list(*names, *(f"{name}^{{}}" for name in names))
        found = next((name for name in names if name in listed), None)
        if found is None:
            if not await self._list():
                raise EmptyRepository("the repository is empty: push a commit")
            raise UnknownRef(f"ref {ref!r} does not exist at the remote: check spec and spelling")
        return Target(found, listed.get(f"{found}^{{}}", listed[found]))

    async def _list(self, *names: str) -> dict[str, str]:
        code, output = await self._git.run("ls-remote", "--exit-code", "--", self._url, *names, accept=(0, 2))
        lines = output.decode(errors="replace").splitlines() if code == 0 else []
        return {name: commit for commit, _, name in (line.partition("\t") for line in lines)}

    async def fetch(self, target: Target) -> str:
        """Bring the target's commit here and return it; the remote may have moved on since `resolve`."""
        try:
            return await self._fetch(target)
        except GitError:
            if await self._sound():
                raise
            self.discard()
            return await self._fetch(target)

    async def _sound(self) -> bool:
        """Whether the local copy is not what went wrong."""
        code, _ = await self._git.run(*self._in(), "fsck", "--connectivity-only", accept=_ANY)
        return code == 0

    def discard(self) -> None:
        """Forget the local copy; the next fetch makes a new one."""
        rmtree(self._directory, ignore_errors=True)

    def _in(self) -> tuple[str, str]:
        return ("--git-dir", str(self._directory))

    async def _fetch(self, target: Target) -> str:
        if not (self._directory / "HEAD").exists():
            kind = "sha256" if len(target.commit) == 64 else "sha1"
            await self._git.run("init", "--quiet", "--bare", f"--object-format={kind}", str(self._directory))
        fetched = f"refs/coderag/{hashlib.sha256(target.name.encode()).hexdigest()[:16]}"
        refspec = f"+{target.name}:{fetched}"
        fetch = (*self._in(), "fetch", "--quiet", "--no-tags", "--force", "--no-write-fetch-head")
        fetch += ("--no-recurse-submodules",)
        try:
            await self._git.run(*fetch, "--depth=1", "--", self._url, refspec)
        except GitError as error:
            if "shallow" not in str(error):  # plain file servers cannot cut history
                raise
            await self._git.run(*fetch, "--", self._url, refspec)
        _, output = await self._git.run(*self._in(), "rev-parse", "--verify", f"{fetched}^{{commit}}")
        return output.decode().strip()

    async def history(self, ref: str, depth: int) -> list[Change]:
        """Return what the newest commits of a ref changed; raises GitError."""
        directory = self._directory.with_name(f"{self._directory.name}.history")
        target = await self.resolve(ref)
        return await read_history(self._git, self._url, target.name, target.commit, directory, depth)

    async def files(self, commit: str) -> list[TreeFile]:
        """Return every entry of the commit's tree."""
        _, output = await self._git.run(*self._in(), "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        return [_tree_file(entry) for entry in output.split(b"\0") if entry]

    @asynccontextmanager
    async def blobs(self, wanted: Iterable[str]) -> AsyncIterator[AsyncIterator[tuple[str, bytes]]]:
        """Stream the contents of blobs in the given order."""
        process = await self._git.start(*self._in(), "cat-file", "--batch", stdin=-1)
        try:
            yield BlobReader(process, self._git.timeout).read(wanted)
        finally:
            await end(process)


_ANY = tuple(range(256))


def _tree_file(entry: bytes) -> TreeFile:
    head, _, path = entry.partition(b"\t")
    mode, _, blob, size = head.decode("ascii").split()
    return TreeFile(path.decode("utf-8", "surrogateescape"), blob, mode, int(size) if size.isdigit() else 0)

"""Reads many blobs through one `git cat-file --batch` process, one at a time, so that memory stays flat."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterable

from coderag_rag.git.errors import GitError


class BlobReader:
    """The conversation with one batch process."""

    def __init__(self, process: Process, timeout: float) -> None:
        self._process, self._timeout = process, timeout

    async def read(self, wanted: Iterable[str]) -> AsyncIterator[tuple[str, bytes]]:
        """Yield blob and content in the order asked for."""
        for blob in wanted:
            try:
                async with asyncio.timeout(self._timeout):
                    content = await self._one(blob)
            except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
                raise GitError(f"reading blob {blob} stopped: {type(error).__name__}") from error
            yield blob, content

    async def _one(self, blob: str) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise GitError("the git process has no pipes")
        stdin.write(blob.encode() + b"\n")
        await stdin.drain()
        header = (await stdout.readuntil(b"\n")).decode().split()
        if len(header) != 3:
            raise GitError(f"blob {blob} is missing from the local copy")
        content = await stdout.readexactly(int(header[2]) + 1)
        return content[:-1]

"""Prepares documents in a child process, with a deadline for each file.

A file that takes too long or kills the parser is recorded and skipped; the next one gets a fresh process.
"""

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from pathlib import Path

import coderag_rag
from coderag_rag.chunking.document import Document, Piece
from coderag_rag.chunking.languages import language_of
from coderag_rag.git.command import end

_START_SECONDS = 60.0
# In the place of a chunker's name, for a file that took too long or ended the process.
STOPPED = "stopped"
COMMAND = (sys.executable, "-m", "coderag_rag.chunking")


class Preparer:
    """One child process, started when it is first needed."""

    def __init__(self, deadline: float, command: Sequence[str] = COMMAND) -> None:
        self._deadline, self._command = deadline, command
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def prepare(self, data: bytes, paths: list[str]) -> Document:
        """Return the document, or one that says why there is none."""
        async with self._turn:
            process = await self._started()
            try:
                async with asyncio.timeout(self._deadline):
                    return await _converse(process, data, paths)
            except TimeoutError:
                reason = f"took longer than {self._deadline:g} s to chunk"
            except (asyncio.IncompleteReadError, ConnectionError):
                reason = "ended the chunking process"
            except asyncio.CancelledError:
                await self._stop()  # its answer would be taken for the next file's
                raise
            await self._stop()
            return Document(language_of(paths[0]), STOPPED, reason, causes=[STOPPED])

    async def aclose(self) -> None:
        """End the child process."""
        async with self._turn:
            await self._stop()

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process:
            await end(process)

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            environment = {"PYTHONPATH": str(Path(coderag_rag.__file__).parent.parent), "PYTHONDONTWRITEBYTECODE": "1"}
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=-1, stdout=-1, env=environment, start_new_session=True
            )
            async with asyncio.timeout(_START_SECONDS):
                await _streams(self._process)[1].readuntil(b"ready\n")
        return self._process


def _streams(process: Process) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the chunking process was started without pipes")
    return process.stdin, process.stdout


async def _converse(process: Process, data: bytes, paths: list[str]) -> Document:
    writer, reader = _streams(process)
    writer.write(json.dumps({"paths": paths, "size": len(data)}).encode() + b"\n" + data)
    await writer.drain()
    size = int(await reader.readuntil(b"\n"))
    body = json.loads(await reader.readexactly(size))
    pieces = [Piece(**piece) for piece in body.pop("pieces")]
    return Document(**body, pieces=pieces)

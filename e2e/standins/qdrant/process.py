"""The HTTP side's handle on an engine process."""

import multiprocessing
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from e2e.standins.qdrant.engine import run
from e2e.standins.qdrant.errors import QdrantError

START_SECONDS = 600.0  # a large collection is optimised while it is opened: minutes for 100,000 vectors
CALL_SECONDS = 120.0
STOP_SECONDS = 20.0


class EngineProcess:
    """Calls one engine; starts it again on the next call if it died."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        """Start the engine and wait until its files are open."""
        self._folder = folder
        self._settings = settings
        self._turns = ThreadPoolExecutor(1)  # first come, first served: with a lock the last of many waited seconds
        self._start()

    def submit(self, method: str, *arguments: Any) -> Future[Any]:
        """Run a method of the engine in its turn; the future gets what it returns or raises."""
        return self._turns.submit(self._call, method, arguments)

    def close(self) -> None:
        """Let the engine flush and end."""
        self._turns.shutdown()
        self._connection.close()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _call(self, method: str, arguments: tuple[Any, ...]) -> Any:
        if not self._process.is_alive():
            self._start()
        try:
            self._connection.send((method, arguments))
            worked, result = self._receive(CALL_SECONDS)
        except (EOFError, ConnectionError) as error:
            raise QdrantError(500, "Service internal error: the engine ended during the request") from error
        if not worked:
            raise result
        return result

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a threaded server could deadlock
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=run, args=(theirs, self._folder, self._settings), daemon=True)
        self._process.start()
        theirs.close()
        try:
            worked, result = self._receive(START_SECONDS)
        except EOFError as error:
            raise QdrantError(500, "Service internal error: the engine did not start") from error
        if not worked:
            raise result

    def _receive(self, seconds: float) -> tuple[bool, Any]:
        if not self._connection.poll(seconds):
            self._process.kill()
            raise QdrantError(500, f"Service internal error: no answer from the engine in {seconds:.0f} s")
        return self._connection.recv()  # type: ignore[no-any-return]

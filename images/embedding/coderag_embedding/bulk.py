"""Bulk texts, computed where no search waits for them: in a process that the operating system puts behind all others.

A thread cannot step back like that. One that has no turn of the processor while it is about to have Python's lock lets
every search of its process wait: beside 100 searches a second on two cores their p95 was 471 ms, and is 175 ms with a
process. A model that is too large to be in memory twice is computed by threads all the same.
"""

import logging
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from coderag_embedding.bulk_process import step_back
from coderag_embedding.jobs import EmbedJob, run_each
from coderag_embedding.model import Embedded, Model

log = logging.getLogger(__name__)
LARGEST_TWICE = 300 * 1024**2  # bytes of weights; the service's usual memory limit is 1 GiB
_END_SECONDS = 5.0
Outcomes = list[Embedded | Exception]


class BulkLostError(Exception):
    """The process ended while it computed, twice: the batch was lost."""


class Bulk:
    """Runs bulk batches, each in the process of its model. Called from threads, at most `threads` at once."""

    def __init__(self, threads: int, largest_twice: int = LARGEST_TWICE) -> None:
        self._threads, self._largest_twice = threads, largest_twice
        self._here = ThreadPoolExecutor(threads, "bulk", initializer=step_back)
        self._processes: weakref.WeakKeyDictionary[Model, BulkProcess] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def run(self, jobs: Sequence[EmbedJob]) -> Outcomes:
        """Return each job's result or exception; raises BulkLostError."""
        outcomes: Outcomes = []
        for model, group in groupby(jobs, key=lambda job: job.model):
            outcomes += self._compute(model, list(group))
        return outcomes

    @property
    def pids(self) -> list[int]:
        """The processes that run now."""
        with self._lock:
            found = [process.pid for process in self._processes.values()]
        return [pid for pid in found if pid is not None]

    def close(self) -> None:
        """End the processes and threads."""
        with self._lock:
            processes = list(self._processes.values())
        for process in processes:
            process.close()
        self._here.shutdown()

    def _compute(self, model: Model, jobs: list[EmbedJob]) -> Outcomes:
        if model.folder is None or _weight(model, model.folder) > self._largest_twice:
            return self._here.submit(run_each, jobs).result()
        return self._process_of(model, model.folder).embed([job.prompt + job.text for job in jobs])

    def _process_of(self, model: Model, folder: Path) -> "BulkProcess":
        with self._lock:
            if model not in self._processes:
                command = [sys.executable, "-m", "coderag_embedding.bulk_process", str(folder), model.precision]
                self._processes[model] = process = BulkProcess(command, self._threads)
                weakref.finalize(model, process.close)  # a reload brings another model
            return self._processes[model]


def _weight(model: Model, folder: Path) -> int:
    """Return the bytes of the weights; those over 2 GiB lie in files beside the graph."""
    graph = folder / model.manifest.precisions[model.precision].file
    return sum(path.stat().st_size for path in graph.parent.glob(f"{graph.name}*"))


class BulkProcess:
    """A process that is started by the first texts, and again where it ended. `command` gets its descriptors."""

    def __init__(self, command: Sequence[str], threads: int) -> None:
        self._command, self._threads = command, threads
        self._lock = threading.RLock()  # a model may be found to be garbage in any line, and its process is closed then
        self._child: _Child | None = None

    @property
    def pid(self) -> int | None:
        """The process, if one runs."""
        child = self._child
        return child.process.pid if child else None

    def embed(self, texts: Sequence[str]) -> Outcomes:
        """Return what became of each text; raises BulkLostError when the process ends over them a second time."""
        try:
            return self._ask(texts)
        except (EOFError, OSError):  # killed, or out of memory: perhaps not because of these texts
            pass
        try:
            return self._ask(texts)
        except (EOFError, OSError) as error:
            raise BulkLostError("the process for bulk texts ended over these") from error

    def close(self) -> None:
        """End the process."""
        with self._lock:
            child, self._child = self._child, None
        if child:
            child.end()

    def _ask(self, texts: Sequence[str]) -> Outcomes:
        with self._lock:
            child = self._child = self._child or _Child(self._command, self._threads)
        try:
            return child.ask(texts)
        except (EOFError, OSError):
            with self._lock:
                self._child = None if self._child is child else self._child
            child.end()
            log.warning("The process for bulk texts ended", extra={"exit_code": child.process.returncode})
            raise


class _Child:
    """One run of the process, with a connection for each thread that may ask."""

    def __init__(self, command: Sequence[str], threads: int) -> None:
        pairs = [Pipe() for _ in range(threads)]
        theirs = [there.fileno() for _, there in pairs]
        self.process = subprocess.Popen([*command, *map(str, theirs)], pass_fds=theirs, stdin=subprocess.DEVNULL)
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        for here, there in pairs:
            there.close()
            self._idle.put(here)

    def ask(self, texts: Sequence[str]) -> Outcomes:
        """Send texts and wait for what became of them; raises EOFError or OSError when the process has ended."""
        connection = self._idle.get()
        try:
            connection.send(list(texts))
            outcomes: Outcomes = connection.recv()
        finally:
            self._idle.put(connection)
        return outcomes

    def end(self) -> None:
        """End the process, whatever it does."""
        self.process.terminate()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

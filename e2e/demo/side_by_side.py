"""Long commands at once, their output shown as it comes."""

import signal
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed


def run_side_by_side(*commands: Sequence[str]) -> None:
    """Wait for all of them; the first that fails interrupts the others. Raises CalledProcessError."""
    running = {process: command for command in commands if (process := subprocess.Popen(command))}
    failed: subprocess.CalledProcessError | None = None
    with ThreadPoolExecutor(len(running)) as pool:
        ends = {pool.submit(process.wait): process for process in running}
        for end in as_completed(ends):
            if end.result() == 0 or failed:
                continue
            failed = subprocess.CalledProcessError(end.result(), list(running[ends[end]]))
            for process in running:
                process.send_signal(signal.SIGINT)  # as by hand: each ends what it has begun
    if failed:
        raise failed

"""What the benchmarks with real services have in common: a name for the services, their end, and exit codes."""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.load.corpus import TooLittleSource
from benchmarks.load.names import NoAddress, enter
from benchmarks.load.services import NotStarted, Stack


def measure(take: Callable[[Stack], int], folder: Path) -> int:
    """Return what `take` makes of services whose logs go to this folder, or 2 with the reason where they do not run."""
    try:
        host = enter(sys.argv)
        folder.mkdir(parents=True, exist_ok=True)
        with Stack(host, folder) as stack:
            return take(stack)
    except (NoAddress, NotStarted, TooLittleSource) as error:
        print(error, file=sys.stderr)
        return 2

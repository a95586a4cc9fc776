"""Loaded by the gateway's interpreter in the tests: writes down each file opened for writing and each address used."""

import os
import sys

LOG = os.environ.get("CODERAG_AUDIT_LOG", "")
COVERAGE = os.path.dirname(os.environ.get("COVERAGE_FILE", ""))  # noqa: PTH120
ALLOWED = tuple(
    filter(None, (os.environ.get("TMPDIR"), COVERAGE and COVERAGE + "/.coverage", "/dev/", "/proc/self/", LOG))
)
LOCAL = ("127.0.0.1", "::1", "localhost", None)


def note(line: str) -> None:
    """Append a line; by descriptor, because opening a file here would call the hook again."""
    descriptor = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, line.encode() + b"\n")
    os.close(descriptor)


def is_outside(path: str) -> bool:
    """Tell whether a path is one that the image cannot write to; there everything is compiled ahead."""
    whole = os.path.abspath(path)  # noqa: PTH100 (pathlib would open nothing, but resolve links)
    return "/__pycache__" not in whole and not whole.startswith(ALLOWED)


def watch(event: str, arguments: tuple) -> None:
    """Look at one event of the interpreter."""
    if event == "open" and isinstance(arguments[0], str | os.PathLike):
        if (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and is_outside(arguments[0]):
            note(f"write {arguments[0]}")
    elif event in ("os.mkdir", "os.rename", "os.remove") and arguments[0] != COVERAGE and is_outside(arguments[0]):
        note(f"{event} {arguments[0]}")
    elif event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] not in LOCAL:
        note(f"connect {arguments[1]}")
    elif event == "socket.getaddrinfo" and arguments[0] not in LOCAL:
        note(f"resolve {arguments[0]}")


if LOG:
    sys.addaudithook(watch)

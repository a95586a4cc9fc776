"""Running other programs to completion: output kept for the error message, and never without a time limit."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from e2e.cluster.errors import ClusterError


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    timeout: float = 120,
    check: bool = True,
    text_in: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command; a failure becomes a ClusterError that says what was being done and shows the last lines."""
    arguments = [str(part) for part in command]
    try:
        done = subprocess.run(
            arguments, input=text_in, capture_output=True, text=True, timeout=timeout, env=env, cwd=cwd, check=False
        )
    except FileNotFoundError:
        raise ClusterError(f"{what}: the program {arguments[0]!r} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{what}: {arguments[0]} did not finish within {timeout:.0f} s") from None
    if check and done.returncode != 0:
        raise ClusterError(f"{what} failed ({arguments[0]} ended with {done.returncode})", last_lines(done))
    return done


def last_lines(done: subprocess.CompletedProcess[str], count: int = 12) -> str:
    """The end of what a program said, for an error message."""
    return "\n  ".join((done.stderr + done.stdout).strip().splitlines()[-count:])

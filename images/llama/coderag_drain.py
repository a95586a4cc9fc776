#!/usr/bin/env python3
"""Waits until llama-server holds no request: what a pod runs before it is told to stop. Standard library only.

    coderag-drain http://127.0.0.1:8001/metrics

First a moment for the endpoint to leave every node's rules, because requests still arrive until then. The end is an
explicit zero, twice in a row; a read that failed says nothing, and the pod's grace period bounds the wait.
"""

import os
import re
import sys
import time
import urllib.error
import urllib.request

SETTLE_SECONDS = 3.0
PAUSE_SECONDS = 0.25
READ_SECONDS = 5.0
QUIET_READS = 2
HELD = re.compile(r"^llamacpp:requests_(?:processing|deferred) ([0-9.e+]+)$", re.MULTILINE)


def read_held(url: str, key: str) -> float | None:
    """Return how many requests the server holds, None where that cannot be told."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})  # noqa: S310  our own pod
    try:
        with urllib.request.urlopen(request, timeout=READ_SECONDS) as answer:  # noqa: S310
            return parse_held(answer.read().decode(errors="replace"))
    except (OSError, ValueError):
        return None


def parse_held(text: str) -> float | None:
    """Return the requests that are answered and those that wait, None when the server does not say."""
    found = HELD.findall(text)
    return sum(map(float, found)) if found else None


def drain(url: str, key: str, pause: float = PAUSE_SECONDS) -> None:
    """Return once the server has said twice in a row that it holds nothing."""
    quiet = 0
    while quiet < QUIET_READS:
        quiet = quiet + 1 if read_held(url, key) == 0 else 0
        time.sleep(pause)


def main(arguments: list[str]) -> int:
    """Drain the server whose metrics are at the address given."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    time.sleep(SETTLE_SECONDS)
    drain(arguments[0], os.environ.get("LLAMA_API_KEY", ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Searches in the network of the cluster, one after the other and over new connections, for as long as a block lasts.

This file is also the program that sends them: it takes its settings, a key among them, as the first line of stdin,
prints a line for each answer, and ends when stdin does.
"""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e.cluster.paths import REPOSITORY
from e2e.failover.site import Site, enter, python

PAUSE = 0.1  # seconds: the searches shall meet each moment of a change, and leave the machine to it


@contextmanager
def searching(remote: Any, query: str) -> Iterator[list[dict[str, Any]]]:
    """Search a remote's repository while the block runs; the list holds every answer after the block."""
    stack = remote.stack
    url = f"{Site(stack.cluster, stack.namespace, stack.name).address('rag')}/v1/search"
    settings = {"url": url, "key": remote.key, "body": {"query": query, "repositories": [remote.name]}}
    command = [*enter(stack.cluster), *python("e2e.scenarios.searches")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    answers: list[dict[str, Any]] = []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        reader = threading.Thread(target=answers.extend, args=(map(json.loads, process.stdout),))
        reader.start()
        process.stdin.write(json.dumps(settings) + "\n")
        process.stdin.flush()
        try:
            yield answers
        finally:
            process.stdin.close()
            reader.join()
    assert process.returncode == 0, f"the searches ended with {process.returncode}"


def search(settings: dict[str, Any]) -> dict[str, Any]:
    """Search once; return what a caller notices of it."""
    headers = {"Authorization": f"Bearer {settings['key']}", "Content-Type": "application/json"}
    request = urllib.request.Request(settings["url"], json.dumps(settings["body"]).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.load(answer)
    except OSError as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"degraded": found["degraded"], "first": found["hits"][0]["path"] if found["hits"] else None}


def main() -> None:
    """Search until stdin ends."""
    settings, ended = json.loads(sys.stdin.readline()), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.wait(PAUSE):
        print(json.dumps(search(settings)), flush=True)


if __name__ == "__main__":
    main()

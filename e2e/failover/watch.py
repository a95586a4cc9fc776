"""Objects as they change, each change with the moment it was seen: `kubectl get --watch` in the background."""

import codecs
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from e2e.failover.endpoints import Change
from e2e.failover.site import Site

CHUNK = 65536


class Watch:
    """Collects the changes of one kind, from entering to leaving the block."""

    def __init__(self, site: Site, kind: str, selector: str) -> None:
        cluster = site.cluster
        self.command = [
            str(cluster.kubectl_program), f"--kubeconfig={cluster.kubeconfig}", "-n", site.namespace, "get", kind,
            "-l", selector, "--watch", "--output-watch-events", "-o", "json",
        ]  # fmt: skip
        self.changes: list[Change] = []

    def __enter__(self) -> "Watch":
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        text, decode = "", codecs.getincrementaldecoder("utf-8")().decode
        while chunk := os.read(self.process.stdout.fileno(), CHUNK):
            text, now = text + decode(chunk), time.time()
            for event, rest in split(text):
                self.changes.append((now, event["type"], event["object"]))
                text = rest


def split(text: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each whole JSON document at the beginning of a text, with what follows it."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        try:
            value, end = decoder.raw_decode(text)
        except ValueError:
            return
        text = text[end:]
        yield value, text

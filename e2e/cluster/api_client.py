"""The API server as seen by the node's own helpers: a few calls with a certificate of their own, and a loop on changes.

Level-triggered: any change of a watched resource leads to one pass over everything, so that no order of events matters.
"""

import argparse
import http.client
import json
import signal
import ssl
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from e2e.cluster.errors import ClusterError

RESYNC_SECONDS = 60.0
WATCH_SECONDS = 300
RETRY_SECONDS = 1.0
BURST_SECONDS = 0.1  # changes come in bursts; one pass serves them all
GROUPS = {"networkpolicies": "/apis/networking.k8s.io/v1"}

Object = dict[str, Any]


class Api:
    """The few calls to the API server that a helper makes, as the user whose certificate it has."""

    def __init__(self, server: str, pki: Path, user: str) -> None:
        self.server = server
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / f"{user}.crt", pki / f"{user}.key")
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        self.opener = urllib.request.build_opener(*handlers)

    def call(self, method: str, path: str, body: Object | None = None) -> Object:
        """One request; `404` and `409` mean that somebody was first, and are no errors here."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.server + path, data=data, method=method, headers=headers)
        try:
            with self.opener.open(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in (404, 409):
                return {}
            raise

    def list(self, resource: str) -> list[Object]:
        """Every object of one resource."""
        return self.call("GET", collection(resource))["items"]

    def events(self, resource: str) -> Iterator[None]:
        """Something once for every change of a resource."""
        url = f"{self.server}{collection(resource)}?watch=true&timeoutSeconds={WATCH_SECONDS}"
        with self.opener.open(url, timeout=WATCH_SECONDS + 30) as answer:
            for _ in answer:
                yield None


def collection(resource: str) -> str:
    """The path of all objects of a resource."""
    return f"{GROUPS.get(resource, '/api/v1')}/{resource}"


class Loop:
    """Calls `act` after changes of some resources, and now and then without any."""

    def __init__(self, api: Api, resources: Sequence[str], act: Callable[[], None]) -> None:
        self.api, self.resources, self.act = api, resources, act
        self.changed = threading.Event()

    def watch(self, resource: str) -> None:
        """Note every change of a resource, for ever; a broken watch is opened again."""
        while True:
            try:
                for _ in self.api.events(resource):
                    self.changed.set()
            except (OSError, http.client.HTTPException) as error:
                log(f"watching {resource}: {error}")
                threading.Event().wait(RETRY_SECONDS)

    def run(self) -> None:
        """Watch and act until the process is ended."""
        for resource in self.resources:
            threading.Thread(target=self.watch, args=(resource,), daemon=True).start()
        while True:
            if self.changed.wait(RESYNC_SECONDS):
                threading.Event().wait(BURST_SECONDS)
            self.changed.clear()
            self.attempt()

    def attempt(self) -> None:
        """Act once; what fails is tried again."""
        try:
            self.act()
        except (OSError, ClusterError) as error:
            log(f"will try again: {error}")
            threading.Event().wait(RETRY_SECONDS)
            self.changed.set()


def log(text: str) -> None:
    """One line in the process' log."""
    print(text, file=sys.stderr, flush=True)


def helper_arguments(description: str, user: str, *more: str) -> argparse.Namespace:
    """The command line of a helper: server, keys and what else it takes as folders; SIGTERM ends it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--server", required=True, help="the API server's URL")
    parser.add_argument("--pki", required=True, type=Path, help=f"the folder with ca.crt, {user}.crt and {user}.key")
    for name in more:
        parser.add_argument(f"--{name}", required=True, type=Path)
    options = parser.parse_args()
    if not options.pki.is_dir():
        raise ClusterError(f"no such folder: {options.pki}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return options

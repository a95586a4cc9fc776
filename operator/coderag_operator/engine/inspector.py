"""Reads nodes and ResourceSlices for all stacks together: passes ask when they need them.

At most every ten seconds, and for a spec that no pass has finished yet at most every second: whoever edits one has
often just labelled the node, and would wait for the next look.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from coderag_operator.errors import Blocked, Failure, Vanished
from coderag_operator.kube.client import Kube
from coderag_operator.kube.kinds import NODE, RESOURCE_SLICE
from coderag_operator.observed.devices import Machines, read_devices
from coderag_operator.observed.nodes import read_node

log = logging.getLogger(__name__)
AGE_SECONDS = 10.0  # a node that comes or changes is noticed by the first pass after this long
FRESH_SECONDS = 1.0  # for a new spec; many at once, as after a start, share one look
T = TypeVar("T")


class Inspector:
    """What is known of the cluster's GPUs; safe to ask from many threads, of which one reads and the others wait."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube, self._clock = kube, clock
        self._lock = threading.Lock()
        self._known: Machines | None = None
        self._looked = 0.0

    def __call__(self, new_spec: bool) -> Machines:
        """Return nodes and devices, read now or a few seconds ago; raises a Failure when nothing is known yet."""
        with self._lock:
            if self._known is None or self._clock() - self._looked >= (FRESH_SECONDS if new_spec else AGE_SECONDS):
                self._known = self._read()
                self._looked = self._clock()
            return self._known

    def _read(self) -> Machines:
        """Return what the API server says; while it does not answer, what it said last."""
        try:
            nodes = allowed("nodes", lambda: tuple(read_node(live) for live in self._kube.scan(NODE)))
            if nodes is None:
                return Machines()
            return Machines(nodes, allowed("resourceslices", lambda: read_devices(self._kube.scan(RESOURCE_SLICE))))
        except Failure as failure:
            if self._known is None:
                raise
            log.warning("Nodes could not be read", extra={"reason": failure.reason, "detail": failure.message})
            return self._known


def allowed(what: str, read: Callable[[], T]) -> T | None:
    """Return what was read, None where the operator has no right to it or the API server does not serve it."""
    try:
        return read()
    except (Blocked, Vanished) as failure:
        log.debug("Not read", extra={"what": what, "reason": failure.reason})
        return None

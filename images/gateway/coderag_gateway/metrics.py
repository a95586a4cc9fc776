"""Counts who asked for which model and who answered. Names of models and classes of status only, no content.

Prometheus' text format, written here: three counters and a histogram are no reason for one more package in this image.
Every label is a model's name or one of a few words, so none needs escaping and none can grow without bounds.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import Response

from coderag_gateway.replies import Reply

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, float("inf"))
PREFIX = "coderag_gateway_"
KIND = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """The figures of one process; they are touched on the event loop only."""

    def __init__(self) -> None:
        """Start at zero."""
        self._requests: Counter[Labels] = Counter()
        self._interrupted: Counter[Labels] = Counter()
        self._flying = 0
        self._seconds: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    @contextmanager
    def measure(self, model: str, reply: Reply) -> Iterator[None]:
        """Count a request from its start to the end of its answer, or until its caller has gone."""
        began = time.monotonic()
        self._flying += 1
        try:
            yield
        finally:
            self._flying -= 1
            self._count(model, reply, time.monotonic() - began)

    def _count(self, model: str, reply: Reply, seconds: float) -> None:
        who = (("model", model), ("served_by", reply.served_by))
        status = f"{reply.status // 100}xx" if reply.status else "none"
        self._requests[(*who, ("fallback", "yes" if reply.fallback else "no"), ("status", status))] += 1
        self._interrupted[who] += reply.interrupted
        self._seconds.setdefault(who, [0] * len(BUCKETS))[bisect_left(BUCKETS, seconds)] += 1
        self._sums[who] = self._sums.get(who, 0.0) + seconds

    def render(self) -> Response:
        """Return the figures."""
        return Response("\n".join([*self._lines(), ""]), headers={"content-type": KIND})

    def _lines(self) -> Iterator[str]:
        yield from head("requests_total", "counter", "Requests by model, who answered, as stand-in or not, and status.")
        yield from (line("requests_total", labels, count) for labels, count in self._requests.items())
        yield from head("streams_interrupted_total", "counter", "Streams that broke off after their first token.")
        yield from (line("streams_interrupted_total", labels, count) for labels, count in self._interrupted.items())
        yield from head("requests_in_flight", "gauge", "Requests being answered.")
        yield line("requests_in_flight", (), self._flying)
        yield from head("request_seconds", "histogram", "From a request to the end of its answer.")
        for labels, counts in self._seconds.items():
            yield from self._histogram(labels, counts)

    def _histogram(self, labels: Labels, counts: list[int]) -> Iterator[str]:
        total = 0
        for bound, count in zip(BUCKETS, counts, strict=True):
            total += count
            limit = "+Inf" if bound == float("inf") else str(bound)
            yield line("request_seconds_bucket", (*labels, ("le", limit)), total)
        yield line("request_seconds_sum", labels, self._sums[labels])
        yield line("request_seconds_count", labels, total)


def head(name: str, kind: str, text: str) -> tuple[str, str]:
    """Return the two lines above a figure."""
    return f"# HELP {PREFIX}{name} {text}", f"# TYPE {PREFIX}{name} {kind}"


def line(name: str, labels: Labels, value: float) -> str:
    """Return one figure."""
    inner = ",".join(f'{label}="{text}"' for label, text in labels)
    return f"{PREFIX}{name}{{{inner}}} {value}" if inner else f"{PREFIX}{name} {value}"

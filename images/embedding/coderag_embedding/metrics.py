"""What Prometheus reads. One registry per application, so that two in one process do not share counts."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from coderag_embedding.cache import QueryCache
from coderag_embedding.lanes import Lanes
from coderag_embedding.manager import ModelManager

PREFIX = "coderag_embedding"
LANES = ("query", "passage")
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters that the routes raise, and gauges read when asked."""

    def __init__(self, manager: ModelManager, lanes: Lanes, cache: QueryCache) -> None:
        self._registry = CollectorRegistry()
        self.requests = self._counter("requests", "HTTP requests", ["route", "status"])
        self.texts = self._counter("texts", "Texts embedded", ["lane"])
        self.tokens = self._counter("tokens", "Tokens embedded, after truncation", ["lane"])
        self.truncated = self._counter("truncated_texts", "Texts longer than the model reads", ["lane"])
        self.rejected = self._counter("rejected_requests", "Requests refused because the queue was full", ["lane"])
        self.seconds = Histogram(
            f"{PREFIX}_request_seconds", "Time to answer", ["route"], buckets=BUCKETS, registry=self._registry
        )
        self._registry.register(_Gauges(manager, lanes, cache))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self._registry)


class _Gauges(Collector):
    def __init__(self, manager: ModelManager, lanes: Lanes, cache: QueryCache) -> None:
        self._manager = manager
        self._lanes = lanes
        self._cache = cache

    def collect(self) -> Iterable[Metric]:
        manager = self._manager
        yield _gauge("model_loaded", "1 when a model serves", {"": float(manager.model is not None)})
        yield _gauge("model_load_seconds", "Duration of the last load", {"": manager.load_seconds or 0.0})
        yield _gauge("threads", "Texts computed at once, at most", {"": float(self._lanes.threads)})
        yield _gauge("queue_depth", "Texts that wait", {lane: self._lanes.depth(lane) for lane in LANES})
        yield _gauge("running", "Texts being computed", {lane: self._lanes.running(lane) for lane in LANES})
        yield _gauge("model_fell_back", "1 when the fallback serves", {"": float(manager.fell_back)})
        yield _gauge("batch_tokens", "Tokens in one bulk batch, at most", {"": float(self._lanes.pace.batch_tokens)})
        yield self._lookups()

    def _lookups(self) -> CounterMetricFamily:
        text = "Query texts by how they were answered: kept, shared with one that ran already, or computed"
        family = CounterMetricFamily(f"{PREFIX}_query_cache", text, labels=["outcome"])
        for outcome, count in (
            ("hit", self._cache.hits), ("shared", self._cache.shared), ("miss", self._cache.misses)
        ):  # fmt: skip
            family.add_metric([outcome], count)
        return family


def _gauge(name: str, text: str, values: dict[str, float]) -> GaugeMetricFamily:
    """A gauge by lane; the empty lane means no label."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=[] if "" in values else ["lane"])
    for lane, value in values.items():
        family.add_metric([lane] if lane else [], value)
    return family

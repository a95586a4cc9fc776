"""Prometheus metrics of searching and answering. Labels come from fixed sets; no query, path or name becomes one."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from coderag_rag.query.admission import Admission
from coderag_rag.query.guard import Breaker
from coderag_rag.query.hits import SearchResult
from coderag_rag.query.known import KnownChunks


class QueryMetrics:
    """Counters of what was asked and how it went."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._searches = Counter("coderag_searches", "Searches by class of the query", ["kind"], registry=registry)
        self._degraded = Counter("coderag_search_degraded", "Searches without this leg", ["leg"], registry=registry)
        self._citations = Counter("coderag_citations", "Markers in answers", ["verdict"], registry=registry)
        self._cut = Counter("coderag_answers_cut", "Streamed answers that broke off", registry=registry)
        self._open = Gauge("coderag_breaker_open", "1 while nothing is sent there", ["dependency"], registry=registry)
        self._running = Gauge("coderag_searches_running", "Searches under way; bounded", registry=registry)
        self._known = Gauge("coderag_chunks_in_memory", "Chunks that searches do not read anew", registry=registry)

    def show(self, breakers: Iterable[Breaker]) -> None:
        """Show whether each breaker is open, read at every scrape."""
        for breaker in breakers:
            self._open.labels(breaker.name).set_function(lambda breaker=breaker: float(breaker.is_open))

    def show_running(self, admission: Admission) -> None:
        """Show how many searches run, read at every scrape."""
        self._running.set_function(lambda: float(admission.running))

    def show_known(self, known: KnownChunks) -> None:
        """Show how many chunks need not be read from Qdrant, 0 until all are loaded; read at every scrape."""
        self._known.set_function(lambda: float(len(known) if known.complete else 0))

    def searched(self, result: SearchResult) -> None:
        """Count a search."""
        self._searches.labels(result.kind.value).inc()
        for leg in result.degraded:
            self._degraded.labels(leg).inc()

    def answered(self, cited: int, dropped: int) -> None:
        """Count the citations of an answer and the markers taken out of it."""
        self._citations.labels("verified").inc(cited)
        self._citations.labels("dropped").inc(dropped)

    def cut(self) -> None:
        """Count a stream that ended with an error."""
        self._cut.inc()

"""Prometheus metrics of searching and answering. Labels come from fixed sets; no query, path or name becomes one."""

from prometheus_client import CollectorRegistry, Counter

from coderag_rag.query.hits import SearchResult


class QueryMetrics:
    """Counters of what was asked and how it went."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._searches = Counter("coderag_searches", "Searches by class of the query", ["kind"], registry=registry)
        self._degraded = Counter("coderag_search_degraded", "Searches without this leg", ["leg"], registry=registry)
        self._citations = Counter("coderag_citations", "Markers in answers", ["verdict"], registry=registry)

    def searched(self, result: SearchResult) -> None:
        """Count a search."""
        self._searches.labels(result.kind.value).inc()
        for leg in result.degraded:
            self._degraded.labels(leg).inc()

    def answered(self, cited: int, dropped: int) -> None:
        """Count the citations of an answer and the markers taken out of it."""
        self._citations.labels("verified").inc(cited)
        self._citations.labels("dropped").inc(dropped)

"""Prometheus metrics of the worker."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from coderag_rag.ingestion.embedder import Embedder
from coderag_rag.ingestion.reading import Read


class SyncMetrics:
    """Counters of what syncs did."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.syncs = Counter("coderag_syncs", "Syncs by outcome", ["repository", "outcome"], registry=registry)
        self.seconds = Histogram(
            "coderag_sync_seconds", "Duration of a sync", ["repository"], registry=registry,
            buckets=(0.1, 0.5, 1, 2, 5, 15, 60, 300, 1800),
        )  # fmt: skip
        self.documents = Counter("coderag_documents", "Files read, by chunker", ["chunker"], registry=registry)
        self.embeddings = Counter("coderag_embeddings", "Chunks embedded", registry=registry)
        self.truncated = Counter("coderag_embeddings_truncated", "Chunks cut to the model's length", registry=registry)
        self.reused = Counter("coderag_embeddings_reused", "Chunks whose vector was known", registry=registry)
        self.webhooks = Counter("coderag_webhooks", "Webhooks by outcome", ["outcome"], registry=registry)
        self.served = Gauge("coderag_served_chunks", "Chunks served", ["repository", "ref"], registry=registry)
        self.queued = Gauge("coderag_sync_queue", "Syncs that wait", registry=registry)

    def read(self, result: Read) -> None:
        """Count the files of a sync by the chunker that split them."""
        for chunker, files in result.documents.items():
            self.documents.labels(chunker).inc(files)

    def embedded(self, embedder: Embedder) -> None:
        """Count what an embedder did."""
        self.embeddings.inc(embedder.embedded)
        self.truncated.inc(embedder.truncated)
        self.reused.inc(embedder.reused)

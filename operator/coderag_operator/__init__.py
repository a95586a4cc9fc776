"""The CodeRAG operator: one CodeRagStack becomes a running code assistant."""

__version__ = "0.1.0"

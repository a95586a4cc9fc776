"""GGUF files: what a header says, and how a file gets onto the model cache.

A leaf library: the operator imports the header reader alone.
"""

from coderag_model.bounded import GgufError
from coderag_model.header import Header, HeaderSummary, read_header

__all__ = ["GgufError", "Header", "HeaderSummary", "read_header"]

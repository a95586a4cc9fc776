"""GGUF files: what a header says, what a model takes of memory, and how a file gets onto the model cache.

A leaf library: the operator imports `geometry` and, for its command line, `opening`.
"""

from coderag_model.bounded import GgufError
from coderag_model.geometry import Geometry
from coderag_model.header import Header, HeaderSummary, read_header

__all__ = ["Geometry", "GgufError", "Header", "HeaderSummary", "read_header"]

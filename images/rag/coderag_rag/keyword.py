"""Keyword vectors that understand code, as Qdrant takes them: the sparse leg of the search."""

from collections.abc import Iterable

from qdrant_client.models import SparseVector

from coderag_rag.terms import Weights, document_weights, query_weights, split_identifier, tokens

__all__ = ["document_vector", "query_vector", "split_identifier", "tokens"]


def _vector(weights: Weights) -> SparseVector:
    return SparseVector(indices=weights.indices, values=weights.values)


def document_vector(
    text: str, symbols: Iterable[str] = (), paths: Iterable[str] = (), within: str = ""
) -> SparseVector:
    """Return the keyword vector of a chunk, as `document_weights` weighs it."""
    return _vector(document_weights(text, symbols, paths, within))


def query_vector(text: str) -> SparseVector:
    """Return the keyword vector of a query: each token once. It is empty when the text holds no word."""
    return _vector(query_weights(text))

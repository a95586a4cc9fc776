"""Sparse vectors by term, and the two ways to weigh a term: Qdrant's server-side IDF, and BM25 over token counts."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Idf = Callable[[int], float]


def qdrant_idf(documents: int) -> Idf:
    """Return Qdrant's IDF modifier: how much a term counts that so many documents hold."""
    return lambda holding: math.log((documents - holding + 0.5) / (holding + 0.5) + 1)


class Postings:
    """For each term the documents that hold it, with the weight of the term in them."""

    def __init__(self, documents: Iterable[tuple[Sequence[Hashable], Sequence[float]]]) -> None:
        lists: dict[Hashable, tuple[list[int], list[float]]] = {}
        self.size = 0
        for number, (terms, weights) in enumerate(documents):
            self.size = number + 1
            for term, weight in zip(terms, weights, strict=True):
                numbers, values = lists.setdefault(term, ([], []))
                numbers.append(number)
                values.append(weight)
        self._lists = {term: (np.array(n), np.array(v, np.float64)) for term, (n, v) in lists.items()}

    def scores(self, terms: Sequence[Hashable], weights: Sequence[float], idf: Idf) -> Floats:
        """Return the score of every document for a query."""
        total = np.zeros(self.size)
        for term, weight in zip(terms, weights, strict=True):
            if term in self._lists:
                numbers, values = self._lists[term]
                total[numbers] += values * weight * idf(len(numbers))
        return total


class Bm25:
    """Plain BM25 (k1 1.2, b 0.75) over whole texts with a given tokenizer."""

    def __init__(self, texts: Sequence[str], tokenize: Callable[[str], list[str]]) -> None:
        self._build([Counter(tokenize(text)) for text in texts], tokenize)

    @classmethod
    def of_counts(cls, counts: Sequence[Counter[str]], tokenize: Callable[[str], list[str]]) -> "Bm25":
        """Return the index of texts whose tokens are counted already."""
        index = cls([], tokenize)
        index._build(counts, tokenize)
        return index

    def _build(self, counts: Sequence[Counter[str]], tokenize: Callable[[str], list[str]]) -> None:
        self._tokenize = tokenize
        usual = sum(map(Counter.total, counts)) / max(len(counts), 1) or 1.0
        weighed = ((list(one), [_saturated(n, one.total() / usual) for n in one.values()]) for one in counts)
        self._postings, self._idf = Postings(weighed), qdrant_idf(len(counts))

    def scores(self, query: str) -> Floats:
        """Return the score of every text."""
        terms = list(dict.fromkeys(self._tokenize(query)))
        return self._postings.scores(terms, [1.0] * len(terms), self._idf)


def _saturated(count: int, length: float) -> float:
    return count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length))

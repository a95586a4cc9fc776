"""What one would build first, on the same texts and the same model: the searchers that ours is compared with."""

import re
import shutil
import subprocess
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import Stemmer
from coderag_rag.terms import tokens

from benchmarks.retrieval.postings import Bm25
from benchmarks.retrieval.reader import best
from benchmarks.retrieval.vectors import Matrix

DEPTH = 100  # how many each leg of a fusion gives
_WORD = re.compile(r"\w+")
# Lucene's English stop words: what a plain keyword index leaves out.
_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "but",
        "by",
        "for",
        "if",
        "in",
        "into",
        "is",
        "it",
        "no",
        "not",
        "of",
        "on",
        "or",
        "such",
        "that",
        "the",
        "their",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "was",
        "will",
        "with",
    ]
)
_stemmer = Stemmer.Stemmer("english")


def plain_tokens(text: str) -> list[str]:
    """Return words as keyword indexes for prose cut them: identifiers stay whole, words are stemmed."""
    return _stemmer.stemWords([word for word in _WORD.findall(text.lower()) if word not in _STOP])


class Baselines:
    """Units with one text each; every method returns positions, best first."""

    def __init__(self, texts: Sequence[str], dense: Matrix) -> None:
        self._dense = dense
        self._everything = np.ones(len(texts), bool)
        self._plain, self._code = Bm25(texts, plain_tokens), Bm25(texts, tokens)

    def dense(self, vector: Matrix, limit: int) -> list[int]:
        """Nearest vectors of the raw code."""
        return best(self._dense @ vector, self._everything, limit)

    def plain_bm25(self, query: str, limit: int) -> list[int]:
        """BM25 over plain tokens."""
        return _found(self._plain.scores(query), limit)

    def code_bm25(self, query: str, limit: int) -> list[int]:
        """BM25 over tokens of code: split at camelCase and snake_case, whole as well, stemmed."""
        return _found(self._code.scores(query), limit)

    def standard(self, query: str, vector: Matrix, limit: int) -> list[int]:
        """Dense and plain BM25 by reciprocal rank fusion with k = 60."""
        scores: Counter[int] = Counter()
        for leg in (self.dense(vector, DEPTH), self.plain_bm25(query, DEPTH)):
            for rank, number in enumerate(leg, start=1):
                scores[number] += 1 / (60 + rank)  # type: ignore[assignment]
        return [number for number, _ in sorted(scores.items(), key=lambda item: (-item[1], item[0]))][:limit]


def _found(scores: "np.ndarray", limit: int) -> list[int]:
    return best(scores, scores > 0, limit)


class Ripgrep:
    """`rg` over all units: those that hold the most different words of the query come first.

    They lie one after the other in one file, since opening thousands of files is all that a search would do otherwise.
    """

    def __init__(self, texts: Sequence[str], file: Path) -> None:
        program = shutil.which("rg")
        if program is None:
            raise FileNotFoundError("rg is not installed: install ripgrep, or leave the baseline out")
        self._program, self._file = program, file
        self._ends = list(accumulate(text.count("\n") + 1 for text in texts))
        file.write_text("".join(text + "\n" for text in texts), encoding="utf-8", errors="replace")

    def search(self, query: str, limit: int) -> list[int]:
        """Return units by the number of different words, then by the number of matches."""
        words = {word for word in _WORD.findall(query.lower()) if word not in _STOP}
        if not words:
            return []
        patterns = [part for word in sorted(words) for part in ("-e", word)]
        options = ["--text", "-o", "-i", "-w", "-F", "--no-filename", "--line-number"]
        command = [self._program, *options, *patterns, str(self._file)]
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if run.returncode not in (0, 1):
            raise RuntimeError(f"rg failed: {run.stderr[:200]}")
        return self._ranked(run.stdout.splitlines())[:limit]

    def _ranked(self, matches: Sequence[str]) -> list[int]:
        found: dict[int, Counter[str]] = {}
        for match in matches:
            line, _, word = match.partition(":")
            found.setdefault(bisect_left(self._ends, int(line)), Counter())[word.lower()] += 1
        return sorted(found, key=lambda number: (-len(found[number]), -found[number].total(), number))
